import type { ConfigObject, Pod, Volume } from '../kube-objects.ts';
import { referencedTokens } from '../reflection/references.ts';

/** `spec.serviceAccountTokens` of a Federation and of an Offloading: whether tokens of ServiceAccounts go along with pods that mount them. */
export interface TokenSettings {
  serviceAccountTokens?: 'Send' | 'KeepHome';
}

/** The type of a Secret that holds a token of a ServiceAccount without end. */
const TOKEN_SECRET_TYPE = 'kubernetes.io/service-account-token';

/** Whether tokens of a namespace leave this cluster: as its Offloading has it, else the Federation; they do if nobody says otherwise. */
export function tokensLeave(namespace: TokenSettings | undefined, federation: TokenSettings | undefined): boolean {
  return (namespace?.serviceAccountTokens ?? federation?.serviceAccountTokens) !== 'KeepHome';
}

/** Whether a pod has a token with which it can speak to its home's API server. */
export function mountsToken(pod: Pick<Pod, 'spec'>): boolean {
  return referencedTokens(pod).length > 0;
}

/** Whether an object that a pod references is the token of a ServiceAccount. */
export function isTokenOfAccount({ type }: Pick<ConfigObject, 'type'>): boolean {
  return type === TOKEN_SECRET_TYPE;
}

/** A pod as it is sent where tokens stay at home: its volumes have all but those. */
export function withoutTokens(pod: Pod): Pod {
  if (!mountsToken(pod)) return pod;
  return { ...pod, spec: { ...pod.spec, volumes: (pod.spec.volumes ?? []).map(withoutToken) } };
}

function withoutToken(volume: Volume): Volume {
  const { projected, ...rest } = volume;
  const sources = projected?.sources;
  if (!sources?.some(({ serviceAccountToken }) => serviceAccountToken)) return volume;
  const others = sources.filter(({ serviceAccountToken }) => !serviceAccountToken);
  return others.length === 0 ? { ...rest, emptyDir: {} } : { ...rest, projected: { ...projected, sources: others } };
}
