import { messageOf } from '../coded-error.ts';
import type { Node } from '../kube-objects.ts';
import { PEER_LABEL } from '../labels.ts';
import {
  type ClaimOfMember,
  DEFAULT_NETWORK_PORT,
  DEFAULT_NETWORK_RANGE,
  type NetworkClaim,
  overlaps,
  problemOfClaim,
  standingClaims,
} from './network-claim.ts';
import { contains, parseIpv4, parsePrefix } from './prefix.ts';

/** `spec.network` of the Federation, with its defaults. */
export interface NetworkSettings {
  enabled: boolean;
  range: string;
  port: number;
  /** Which pods here other members may open connections to. */
  reachable: 'Offloaded' | 'All';
}

export function networkSettings(spec: Record<string, unknown> | undefined): NetworkSettings {
  const network = (spec?.network ?? {}) as Partial<NetworkSettings>;
  const {
    enabled = true,
    range = DEFAULT_NETWORK_RANGE,
    port = DEFAULT_NETWORK_PORT,
    reachable = 'Offloaded',
  } = network;
  return { enabled, range, port, reachable };
}

/** Why something takes no part in the pod network: for a condition. */
export interface Refusal {
  reason: string;
  message: string;
}

export const NETWORK_OFF: Refusal = { reason: 'Disabled', message: 'spec.network.enabled of the Federation is false' };

/** The pod network of this cluster, or why it cannot have a part in the network between clusters. */
export function findPodCidr(nodes: readonly Node[]): { podCidr: string } | { refused: Refusal } {
  const real = nodes.filter((node) => node.metadata.labels?.[PEER_LABEL] === undefined);
  const [node, ...more] = real;
  if (node === undefined) return refused('NoNode', 'the cluster has no node of its own');
  if (more.length > 0) {
    return refused(
      'SeveralNodes',
      `the cluster has ${real.length} nodes of its own; the pod network spans single-node clusters only, and pods offloaded from or to here show no address`,
    );
  }
  const { podCIDR, podCIDRs = [] } = (node.spec ?? {}) as { podCIDR?: string; podCIDRs?: string[] };
  const candidates = [podCIDR, ...podCIDRs].filter((one) => one !== undefined);
  const podCidr = candidates.find((one) => !one.includes(':'));
  if (podCidr === undefined) {
    const message = `node ${node.metadata.name} has no IPv4 pod network in spec.podCIDR; give the controller manager --allocate-node-cidrs and an IPv4 --cluster-cidr`;
    return refused('NoPodCidr', message);
  }
  try {
    parsePrefix(podCidr);
  } catch (error) {
    return refused('NoPodCidr', messageOf(error));
  }
  return { podCidr };
}

function refused(reason: string, message: string): { refused: Refusal } {
  return { refused: { reason, message } };
}

/**
 * Why images cannot be taken from a range here: routes to other members' prefixes would cover what this node already uses.
 */
export function problemOfRange(range: string, podCidr: string, nodes: readonly Node[]): Refusal | undefined {
  const outer = parsePrefix(range);
  if (overlaps(outer, parsePrefix(podCidr))) {
    const message = `the pod network ${podCidr} of this cluster lies in spec.network.range ${range}; choose another range on all members`;
    return { reason: 'RangeInUse', message };
  }
  const addresses = nodes.flatMap((node) => node.status?.addresses ?? []).map(({ address }) => address);
  const inside = addresses.find((address) => contains(outer, parseIpv4(address) ?? -1));
  if (inside === undefined) return undefined;
  const message = `the node's address ${inside} lies in spec.network.range ${range}; choose another range on all members`;
  return { reason: 'RangeInUse', message };
}

export type PeerNetwork = { claim: NetworkClaim } | { refused: Refusal };

/** For each other member, its usable claim, or why there is none. @param own as it stands in the own record */
export function planPeerNetworks(
  own: ClaimOfMember,
  members: readonly { id: string; network?: NetworkClaim }[],
  range: string,
): Map<string, PeerNetwork> {
  // A claim that could never be used here must not put others in the wrong.
  const sensible = claimsOf(members).filter(({ claim }) => problemOfClaim(claim, range) === undefined);
  const standing = standingClaims([own, ...sensible]);
  return new Map(
    members.map(({ id, network: claim }): [string, PeerNetwork] => {
      if (claim === undefined) return [id, refused('NoClaim', 'the member takes no part in the pod network')];
      const problem = isReadable(claim) ? problemOfClaim(claim, range) : INVALID;
      if (problem !== undefined) return [id, { refused: problem }];
      if (standing.has(id)) return [id, { claim }];
      return [
        id,
        refused('Clash', `its prefix ${claim.prefix} belongs to another member; it is to choose another one`),
      ];
    }),
  );
}

/** The claims in records; one that names no networks is none. */
export function claimsOf(records: readonly { id: string; network?: NetworkClaim }[]): ClaimOfMember[] {
  return records.flatMap(({ id, network }) =>
    network === undefined || !isReadable(network) ? [] : [{ id, claim: network }],
  );
}

const INVALID: Refusal = { reason: 'InvalidClaim', message: 'its record names no valid networks' };

function isReadable(claim: NetworkClaim): boolean {
  try {
    parsePrefix(claim.podCidr);
    parsePrefix(claim.prefix);
    return true;
  } catch {
    return false;
  }
}
