import { createHash } from 'node:crypto';
import type { KubeObject } from '../kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, ORIGIN_CLUSTER_LABEL, ORIGIN_NAMESPACE_LABEL } from '../labels.ts';

/** Longest name of a namespace (RFC 1123 label). */
const MAX_NAME = 63;
const HASH_CHARS = 8;

/**
 * The twin namespace of a consumer's namespace: `NAMESPACE-HASH`, the hash over cluster ID and namespace, so that it is the
 * same after any restart, differs between consumers, and does not depend on names that may change.
 */
export function twinNamespaceName(origin: { cluster: string; namespace: string }): string {
  const hash = createHash('sha256').update(`${origin.cluster}/${origin.namespace}`).digest('hex').slice(0, HASH_CHARS);
  const readable = origin.namespace.slice(0, MAX_NAME - HASH_CHARS - 1).replace(/-+$/, '');
  return `${readable}-${hash}`;
}

/** The Namespace object, whose pod-security label makes the API server itself refuse what the provider forbids. */
export function toTwinNamespace(origin: { cluster: string; namespace: string }, podSecurityLevel: string): KubeObject {
  return {
    metadata: {
      name: twinNamespaceName(origin),
      labels: {
        [MANAGED_BY_LABEL]: MANAGED_BY,
        [ORIGIN_CLUSTER_LABEL]: origin.cluster,
        [ORIGIN_NAMESPACE_LABEL]: origin.namespace,
        'pod-security.kubernetes.io/enforce': podSecurityLevel,
      },
    },
  };
}
