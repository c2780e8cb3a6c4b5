import type { ConfigObject } from '../kube-objects.ts';
import {
  MANAGED_BY,
  MANAGED_BY_LABEL,
  ORIGIN_CLUSTER_LABEL,
  ORIGIN_NAMESPACE_LABEL,
  ORIGIN_UID_LABEL,
} from '../labels.ts';

/** Every namespace has this ConfigMap, with the CA of its own cluster; the origin's must not collide with the twin's. */
const ROOT_CA = 'kube-root-ca.crt';
const REFLECTED_ROOT_CA = 'headcut-home-root-ca.crt';

/** Prefix of the Secrets in which the consumer sends the service account tokens of a pod. */
const TOKEN_SECRET_PREFIX = 'headcut-tokens-';

/** The name that a ConfigMap of the consumer has in the twin namespace. */
export function reflectedConfigMapName(name: string): string {
  return name === ROOT_CA ? REFLECTED_ROOT_CA : name;
}

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

/** The reflected object that the provider keeps in the twin namespace. */
export function toReflectedObject(
  object: ConfigObject,
  origin: { cluster: string; namespace: string },
  twin: string,
): ConfigObject {
  const name = object.kind === 'ConfigMap' ? reflectedConfigMapName(object.metadata.name) : object.metadata.name;
  const sent = toSentObject(object);
  return {
    ...sent,
    metadata: {
      name,
      namespace: twin,
      labels: {
        [MANAGED_BY_LABEL]: MANAGED_BY,
        [ORIGIN_CLUSTER_LABEL]: origin.cluster,
        [ORIGIN_NAMESPACE_LABEL]: origin.namespace,
        ...(isTokenSecretName(name) ? { [ORIGIN_UID_LABEL]: name.slice(TOKEN_SECRET_PREFIX.length) } : {}),
      },
    },
  };
}
