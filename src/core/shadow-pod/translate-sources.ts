import type { Container, DownwardItem, EnvVar, ProjectedSource, Volume } from '../kube-objects.ts';
import { tokenKey, tokenSecretName } from '../reflection/reflected-object.ts';
import type { OwnFacts } from './own-facts.ts';

/** Where containers and volumes of an offloaded pod get what it says of itself, and its tokens. */

export function translateContainer(container: Container, facts: OwnFacts): Container {
  const { env } = container;
  return env === undefined
    ? container
    : { ...container, env: env.map((variable) => translateVariable(variable, facts)) };
}

function translateVariable(variable: EnvVar, facts: OwnFacts): EnvVar {
  const source = variable.valueFrom;
  if (source?.fieldRef === undefined) return variable;
  return { ...variable, valueFrom: { ...source, fieldRef: facts.redirect(source.fieldRef) } };
}

/** @param of UID of the pod at home, and whether its volumes have a group of their own (`fsGroup`) */
export function translateVolume(
  volume: Volume,
  { originUid, hasGroup }: { originUid: string; hasGroup: boolean },
  facts: OwnFacts,
): Volume {
  const { projected, downwardAPI } = volume;
  const sources = projected?.sources?.map((source, index) =>
    translateSource(source, { volume: volume.name, index, originUid, hasGroup }, facts),
  );
  return {
    ...volume,
    ...(downwardAPI === undefined ? {} : { downwardAPI: withRedirectedItems(downwardAPI, facts) }),
    ...(projected === undefined || sources === undefined ? {} : { projected: { ...projected, sources } }),
  };
}

function translateSource(
  source: ProjectedSource,
  at: { volume: string; index: number; originUid: string; hasGroup: boolean },
  facts: OwnFacts,
): ProjectedSource {
  const { serviceAccountToken, ...rest } = source;
  if (serviceAccountToken !== undefined) {
    // As a kubelet gives a token to the group of the pod's volumes (pkg/volume/projected).
    const mode = at.hasGroup ? { mode: 0o600 } : {};
    const items = [{ key: tokenKey(at.volume, at.index), path: serviceAccountToken.path, ...mode }];
    return { ...rest, secret: { name: tokenSecretName(at.originUid), items } };
  }
  return {
    ...source,
    ...(source.downwardAPI === undefined ? {} : { downwardAPI: withRedirectedItems(source.downwardAPI, facts) }),
  };
}

function withRedirectedItems<T extends { items?: DownwardItem[] }>(source: T, facts: OwnFacts): T {
  if (source.items === undefined) return source;
  return {
    ...source,
    items: source.items.map((item) =>
      item.fieldRef === undefined ? item : { ...item, fieldRef: facts.redirect(item.fieldRef) },
    ),
  };
}
