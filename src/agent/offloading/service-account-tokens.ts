import type { ConfigObject, KubeObject, Pod } from '../../core/kube-objects.ts';
import { referencedTokens, type TokenReference } from '../../core/reflection/references.ts';
import { tokenKey, tokenSecretName } from '../../core/reflection/reflected-object.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SERVICE_ACCOUNTS } from '../../kube/resources.ts';

interface TokenRequest extends KubeObject {
  status?: { token: string; expirationTimestamp: string };
}

export interface TokenSecret {
  object: ConfigObject;
  /** When the first of the tokens ends, in milliseconds since 1970. */
  expiresAt: number;
}

/**
 * Requests the service account tokens that a pod mounts, bound to that very pod, and packs them for the provider.
 * Undefined for a pod that mounts none. @param client as the node identity of the pod's virtual node
 */
export async function requestTokens(client: Pick<KubeClient, 'create'>, pod: Pod): Promise<TokenSecret | undefined> {
  const references = referencedTokens(pod);
  if (references.length === 0) return undefined;
  const data: Record<string, string> = {};
  let expiresAt = Number.POSITIVE_INFINITY;
  for (const reference of references) {
    const { status } = await requestToken(client, pod, reference);
    if (status === undefined) throw new Error(`no token for pod ${pod.metadata.name}`);
    data[tokenKey(reference.volume, reference.index)] = Buffer.from(status.token).toString('base64');
    expiresAt = Math.min(expiresAt, Date.parse(status.expirationTimestamp));
  }
  const name = tokenSecretName(pod.metadata.uid ?? '');
  return { object: { apiVersion: 'v1', kind: 'Secret', metadata: { name }, type: 'Opaque', data }, expiresAt };
}

function requestToken(client: Pick<KubeClient, 'create'>, pod: Pod, reference: TokenReference): Promise<TokenRequest> {
  const { name, namespace = '', uid = '' } = pod.metadata;
  const account = pod.spec.serviceAccountName ?? 'default';
  const request: TokenRequest = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name: account, namespace },
    spec: {
      expirationSeconds: reference.expirationSeconds,
      boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      ...(reference.audience === undefined ? {} : { audiences: [reference.audience] }),
    },
  };
  return client.create(SERVICE_ACCOUNTS, request, { name: account, subresource: 'token' });
}
