import type { Pod } from '../kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, VIRTUAL_NODE_TAINT } from '../labels.ts';
import { isTerminal } from '../pod-phase.ts';
import { contains, type Prefix, parseIpv4 } from './prefix.ts';

/** What namespaces say, which their users cannot write, other than labels and tolerations of pods. */
export interface NamespaceFacts {
  /** Whether pods of this namespace may leave the cluster. */
  isOffloaded(namespace: string): boolean;
  /** The member of whose namespace this one is the twin. */
  twinOf(namespace: string): string | undefined;
  isVirtual(node: string): boolean;
  /** Whether a Service that this cluster exports leads to this pod. */
  isExported(pod: Pod): boolean;
}

/**
 * The addresses (as this cluster knows them) of pods that other members may reach: those that run here for others, in twins of their
 * namespaces, those of our own namespaces that are offloaded, or that have pods elsewhere still, and those of exported Services. Sorted.
 * @param facts where they are not known, such a namespace shows by its pods, which got the toleration at their making
 */
export function reachablePods(pods: readonly Pod[], podCidr: Prefix, facts?: NamespaceFacts): string[] {
  const isAway = (pod: Pod): boolean =>
    facts === undefined ? toleratesNodes(pod) : !isTerminal(pod.status) && facts.isVirtual(pod.spec.nodeName ?? '');
  const offloaded = new Set(pods.filter(isAway).map((pod) => pod.metadata.namespace));
  const reachable = pods.filter(
    (pod) =>
      !isTerminal(pod.status) &&
      (isGuest(pod, facts) ||
        offloaded.has(pod.metadata.namespace) ||
        facts?.isOffloaded(pod.metadata.namespace ?? '') === true ||
        facts?.isExported(pod) === true),
  );
  const addresses = reachable
    .map((pod) => pod.status?.podIP)
    // Pods on peers have images as addresses, pods on the node's own network that of the node.
    .filter((address) => address !== undefined && contains(podCidr, parseIpv4(address) ?? -1));
  return [...new Set(addresses as string[])].sort();
}

function isGuest({ metadata }: Pod, facts: NamespaceFacts | undefined): boolean {
  const origin = metadata.labels?.[ORIGIN_CLUSTER_LABEL];
  return origin !== undefined && (facts === undefined || facts.twinOf(metadata.namespace ?? '') === origin);
}

function toleratesNodes({ spec }: Pod): boolean {
  return spec.tolerations?.some((toleration) => toleration.key === VIRTUAL_NODE_TAINT) === true;
}
