import { type KubeObject, type Node, objectKey } from '../kube-objects.ts';
import { OFFLOAD_LABEL, ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../labels.ts';

/** The name of the one Offloading of a namespace. */
export const OFFLOADING_NAME = 'offloading';

/** Why a pod of a namespace that nobody offloaded does not leave; in its status and an event. */
export const NOT_OFFLOADED = 'NotOffloaded';

/** The ConfigMap beside the agent in which admission policies read what they cannot look up (manifests/35-virtual-nodes.yaml). */
export const OFFLOADING_MAP = 'headcut-offloading';

export type NamespaceOffloading =
  | { offloaded: true; by: 'label' | 'object'; strategy: string }
  | { offloaded: false; why: string };

/** Whether pods of a namespace may leave this cluster, and by what. An Offloading counts for more than the label. */
export function namespaceOffloading(
  namespace: KubeObject | undefined,
  offloading: KubeObject | undefined,
): NamespaceOffloading {
  const { labels = {} } = namespace?.metadata ?? {};
  const strategy = strategyOf(offloading);
  if (labels[ORIGIN_CLUSTER_LABEL] !== undefined)
    return { offloaded: false, why: 'it is the twin of a namespace of a peer; what runs here is not offloaded again' };
  if (offloading !== undefined && strategy === 'LocalOnly')
    return { offloaded: false, why: 'its Offloading says LocalOnly' };
  if (labels[OFFLOAD_LABEL] === 'true') return { offloaded: true, by: 'label', strategy };
  if (offloading !== undefined) return { offloaded: true, by: 'object', strategy };
  return { offloaded: false, why: `it has neither the label ${OFFLOAD_LABEL}=true nor an Offloading object` };
}

/** What a pod's owner reads when it was bound to a virtual node without being allowed to leave. */
export function notOffloadedMessage(namespace: string, node: string, why: string): string {
  return (
    `namespace ${namespace} is not offloaded (${why}), so nothing of this pod goes to the peer behind node ${node}: ` +
    `kubectl label namespace ${namespace} ${OFFLOAD_LABEL}=true lets its pods leave, else make the pod anew without asking for that node`
  );
}

/**
 * What admission policies have to know, as data of a ConfigMap: `node.NAME` for each virtual node, and `namespace.NAME` for
 * each namespace with an Offloading: `offloaded`, or `home` where that says LocalOnly.
 */
export function offloadingMap(nodes: readonly Node[], offloadings: readonly KubeObject[]): Record<string, string> {
  const virtual = nodes.filter(({ metadata }) => metadata.labels?.[PEER_LABEL] !== undefined);
  const said = offloadings.filter(({ metadata }) => metadata.name === OFFLOADING_NAME);
  return Object.fromEntries(
    [
      ...virtual.map(({ metadata }) => [`node.${metadata.name}`, 'virtual']),
      ...said.map((one) => [
        `namespace.${one.metadata.namespace}`,
        strategyOf(one) === 'LocalOnly' ? 'home' : 'offloaded',
      ]),
    ].sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  ) as Record<string, string>;
}

/** The key of a namespace's Offloading in a cache. */
export function offloadingKey(namespace: string): string {
  return objectKey({ metadata: { namespace, name: OFFLOADING_NAME } });
}

function strategyOf(offloading: KubeObject | undefined): string {
  return (offloading?.spec as { strategy?: string } | undefined)?.strategy ?? 'Spread';
}
