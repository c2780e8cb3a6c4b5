import { createHash } from 'node:crypto';
import type { KubeObject } from '../kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, ORIGIN_CLUSTER_LABEL, ORIGIN_NAMESPACE_LABEL } from '../labels.ts';
import type { Origin, Twin } from '../reflection/reflected-object.ts';

/** Longest name of a namespace (RFC 1123 label). */
const MAX_NAME = 63;
/** 64 bits: nobody finds a name or a key with which a namespace of theirs gets the twin of a certain other one. */
const HASH_CHARS = 16;
/** Versions before had 32 bits. Their twins keep their names as long as there are pods in them. */
const FORMER_HASH_CHARS = 8;

/**
 * The twin namespace of a consumer's namespace: `NAMESPACE-HASH`, the hash over cluster ID and namespace, so that it is the
 * same after any restart, differs between consumers, and does not depend on names that may change.
 */
export function twinNamespaceName(origin: Origin): string {
  return nameWith(origin, HASH_CHARS);
}

/** The name that earlier versions gave. */
export function formerTwinName(origin: Origin): string {
  return nameWith(origin, FORMER_HASH_CHARS);
}

function nameWith(origin: Origin, hashChars: number): string {
  const hash = createHash('sha256').update(`${origin.cluster}/${origin.namespace}`).digest('hex').slice(0, hashChars);
  const readable = origin.namespace.slice(0, MAX_NAME - hashChars - 1).replace(/-+$/, '');
  return `${readable}-${hash}`;
}

/** True for the names that a twin of this namespace can have. */
export function isTwinName(name: string | undefined, origin: Origin): boolean {
  return name === twinNamespaceName(origin) || name === formerTwinName(origin);
}

/** What of a ShadowPod says which twin it is in. */
interface TwinUse {
  metadata: KubeObject['metadata'];
  spec: { originCluster: string; originNamespace: string };
}

/** Where the pods of a consumer's namespace are, or would be. @param shadows all shadow pods */
export function twinNameAmong(shadows: readonly TwinUse[], origin: Origin): string {
  const one = shadows.find(
    ({ metadata, spec }) =>
      spec.originCluster === origin.cluster &&
      spec.originNamespace === origin.namespace &&
      isTwinName(metadata.namespace, origin),
  );
  return one?.metadata.namespace ?? twinNamespaceName(origin);
}

/** The Namespace object, whose pod-security label makes the API server itself refuse what the provider forbids. */
export function toTwinNamespace({ name, origin }: Twin, podSecurityLevel: string): KubeObject {
  return {
    metadata: {
      name,
      labels: {
        [MANAGED_BY_LABEL]: MANAGED_BY,
        [ORIGIN_CLUSTER_LABEL]: origin.cluster,
        [ORIGIN_NAMESPACE_LABEL]: origin.namespace,
        'pod-security.kubernetes.io/enforce': podSecurityLevel,
      },
    },
  };
}

/** Whether the labels of a namespace, or of an object in one, say that it stands for this namespace of this consumer. */
export function isOfOrigin({ metadata: { labels = {} } }: KubeObject, origin: Origin): boolean {
  return labels[ORIGIN_CLUSTER_LABEL] === origin.cluster && labels[ORIGIN_NAMESPACE_LABEL] === origin.namespace;
}
