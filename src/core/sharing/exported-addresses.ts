import type { Pod } from '../kube-objects.ts';
import { contains, type Prefix, parseIpv4 } from '../network/prefix.ts';
import { isTerminal } from '../pod-phase.ts';
import type { SentEndpoints } from '../service/sent-service.ts';

export interface ExportingNamespace {
  /** All of that namespace. */
  pods: readonly Pod[];
  isOffloaded(pod: Pod): boolean;
  /** Of this cluster's pods; undefined while it is not known. */
  podNetwork: Prefix | undefined;
}

/**
 * The addresses that are open to other members because of an export: those of its pods. A slice is written by whoever may write in
 * its namespace, so what it says counts only where a pod of the namespace has that address of the pod network, and not its node's.
 */
export function exportedAddresses(
  groups: readonly SentEndpoints[],
  { pods, isOffloaded, podNetwork }: ExportingNamespace,
): string[] {
  if (podNetwork === undefined) return [];
  const ofPods = new Set(
    pods
      .filter((pod) => (pod.spec as { hostNetwork?: boolean }).hostNetwork !== true && !isOffloaded(pod))
      .flatMap(({ status }) => (isTerminal(status) ? [] : (status?.podIP ?? [])))
      .filter((address) => contains(podNetwork, parseIpv4(address) ?? -1)),
  );
  return groups.flatMap(({ endpoints }) => endpoints.map(({ address }) => address)).filter((one) => ofPods.has(one));
}
