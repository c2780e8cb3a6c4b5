import type { ConfigObject } from '../kube-objects.ts';
import {
  MANAGED_BY,
  MANAGED_BY_LABEL,
  ORIGIN_CLUSTER_LABEL,
  ORIGIN_NAMESPACE_LABEL,
  ORIGIN_UID_LABEL,
} from '../labels.ts';

/** A namespace of a consumer. */
export interface Origin {
  /** ID of the consumer. */
  cluster: string;
  namespace: string;
}

/** Prefix of the Secrets in which the consumer sends the service account tokens of a pod. */
const TOKEN_SECRET_PREFIX = 'headcut-tokens-';

/** The Secret that holds the service account tokens of the pod with this UID. */
export function tokenSecretName(podUid: string): string {
  return `${TOKEN_SECRET_PREFIX}${podUid}`;
}

/** True for Secrets of `tokenSecretName`. */
export function isTokenSecretName(name: string): boolean {
  return name.startsWith(TOKEN_SECRET_PREFIX);
}

/** The key of one token in that Secret. */
export function tokenKey(volume: string, index: number): string {
  return `${volume}.${index}`;
}

/** What leaves the consumer of a ConfigMap or Secret: its data, and nothing of its metadata but the name. */
export function toSentObject(object: ConfigObject): ConfigObject {
  return {
    apiVersion: 'v1',
    kind: object.kind,
    metadata: { name: object.metadata.name },
    ...(object.data === undefined ? {} : { data: object.data }),
    ...(object.binaryData === undefined ? {} : { binaryData: object.binaryData }),
    ...(object.kind === 'Secret' ? { type: sentSecretType(object.type) } : {}),
  };
}

/** Types that the API server fills or checks against objects of its own cluster travel as plain data. */
function sentSecretType(type: string | undefined): string {
  return type === undefined || type === 'kubernetes.io/service-account-token' || type.startsWith('bootstrap.')
    ? 'Opaque'
    : type;
}

/** The object that the provider keeps in the twin namespace under this name. */
export function toReflectedObject(object: ConfigObject, name: string, twin: Twin): ConfigObject {
  return {
    ...toSentObject(object),
    metadata: {
      name,
      namespace: twin.name,
      labels: {
        [MANAGED_BY_LABEL]: MANAGED_BY,
        [ORIGIN_CLUSTER_LABEL]: twin.origin.cluster,
        [ORIGIN_NAMESPACE_LABEL]: twin.origin.namespace,
        ...(isTokenSecretName(name) ? { [ORIGIN_UID_LABEL]: name.slice(TOKEN_SECRET_PREFIX.length) } : {}),
      },
    },
  };
}

/** A twin namespace, and the consumer's namespace that it stands for. */
export interface Twin {
  name: string;
  origin: Origin;
}

/** Without it pods that name no Secret for pulling images would get those of the twin's ServiceAccount, which are the provider's. */
export const NO_CREDENTIALS = 'headcut-no-credentials';

/** The Secret of that name: credentials for no registry at all. */
export function toNoCredentials(twin: Twin): ConfigObject {
  const config = Buffer.from('{"auths":{}}').toString('base64');
  const secret: ConfigObject = {
    kind: 'Secret',
    metadata: { name: NO_CREDENTIALS },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': config },
  };
  return toReflectedObject(secret, NO_CREDENTIALS, twin);
}
