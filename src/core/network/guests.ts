import { isIPv6 } from 'node:net';
import type { Node, Pod } from '../kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../labels.ts';
import { isTerminal } from '../pod-phase.ts';
import type { NodeFence } from './node-fence.ts';
import { contains, type Prefix, parseIpv4 } from './prefix.ts';

/** The pods on this node as a fence tells them apart: by their addresses, those of each other member together. */
export function fencedPods(
  pods: readonly Pod[],
  podCidr: Prefix,
  isHere: (nodeName: string) => boolean,
): Pick<NodeFence, 'guests' | 'residents' | 'guests6' | 'residents6' | 'strangers'> {
  const guests = new Map<string, string[]>();
  const residents: string[] = [];
  const [guests6, residents6]: [string[], string[]] = [[], []];
  let strangers = false;
  for (const { metadata, spec, status } of pods) {
    const { nodeName, hostNetwork } = spec as { nodeName?: string; hostNetwork?: boolean };
    if (nodeName === undefined || !isHere(nodeName) || hostNetwork === true || isTerminal(status)) continue;
    const origin = metadata.labels?.[ORIGIN_CLUSTER_LABEL];
    const { podIPs = [] } = (status ?? {}) as { podIPs?: { ip: string }[] };
    (origin === undefined ? residents6 : guests6).push(...podIPs.map(({ ip }) => ip).filter(isIPv6));
    const address = parseIpv4(status?.podIP ?? '');
    if (address === undefined) strangers ||= origin !== undefined;
    else if (contains(podCidr, address)) {
      const text = status?.podIP ?? '';
      if (origin === undefined) residents.push(text);
      else guests.set(origin, [...(guests.get(origin) ?? []), text]);
    }
  }
  const groups = [...guests]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, addresses]) => [...new Set(addresses)].sort());
  const unique = (addresses: string[]): string[] => [...new Set(addresses)].sort();
  return {
    guests: groups,
    residents: unique(residents),
    guests6: unique(guests6),
    residents6: unique(residents6),
    strangers,
  };
}

/** The kubelet ports of virtual nodes, at which the API server calls the agent. Sorted. */
export function virtualKubeletPorts(nodes: readonly Node[]): number[] {
  const ports = nodes
    .filter(({ metadata }) => metadata.labels?.[PEER_LABEL] !== undefined)
    .flatMap(({ status }) => status?.daemonEndpoints?.kubeletEndpoint?.Port ?? []);
  // Of a node that was only just made the API server says 0.
  return [...new Set(ports.filter((port) => port > 0))].sort((a, b) => a - b);
}
