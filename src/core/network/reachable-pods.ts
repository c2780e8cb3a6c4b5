import type { Pod } from '../kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, VIRTUAL_NODE_TAINT } from '../labels.ts';
import { isTerminal } from '../pod-phase.ts';
import { contains, type Prefix, parseIpv4 } from './prefix.ts';

/**
 * The addresses (as this cluster knows them) of pods that other members may reach: those that run here for others, and those of
 * our own namespaces that are offloaded. Sorted. Such a namespace shows by its pods, which got the toleration at their making.
 */
export function reachablePods(pods: readonly Pod[], podCidr: Prefix): string[] {
  const offloaded = new Set(pods.filter(mayBeOffloaded).map((pod) => pod.metadata.namespace));
  const reachable = pods.filter(
    (pod) =>
      !isTerminal(pod.status) &&
      (pod.metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined || offloaded.has(pod.metadata.namespace)),
  );
  const addresses = reachable
    .map((pod) => pod.status?.podIP)
    // Pods on peers have images as addresses, pods on the node's own network that of the node.
    .filter((address) => address !== undefined && contains(podCidr, parseIpv4(address) ?? -1));
  return [...new Set(addresses as string[])].sort();
}

function mayBeOffloaded({ spec }: Pod): boolean {
  return spec.tolerations?.some((toleration) => toleration.key === VIRTUAL_NODE_TAINT) === true;
}
