import { messageOf } from '../coded-error.ts';
import type { Node } from '../kube-objects.ts';
import { PEER_LABEL } from '../labels.ts';
import { type HolderContext, type Holders, planHolders } from './claim-holders.ts';
import {
  type ClaimLimits,
  type ClaimOfMember,
  DEFAULT_LARGEST_CLAIM,
  DEFAULT_NETWORK_PORT,
  DEFAULT_NETWORK_RANGE,
  type NetworkClaim,
  problemOfForm,
  problemOfPlace,
} from './network-claim.ts';
import type { GuestAccess } from './node-fence.ts';
import { contains, overlaps, type Prefix, parseIpv4, parsePrefix, readPrefix } from './prefix.ts';
import type { Refusal } from './refusal.ts';

/** `spec.network` of the Federation, with its defaults. */
export interface NetworkSettings {
  enabled: boolean;
  range: string;
  port: number;
  /** Which pods here other members may open connections to. */
  reachable: 'Offloaded' | 'All';
  /** Length of the prefix of the largest pod network that another member may have here. */
  largestClaim: number;
  /** Networks that this cluster uses otherwise and that its node's routes do not show. */
  reserved: string[];
  /** How far pods of other members reach from here. */
  guestAccess: GuestAccess;
  /** Networks that they reach beside that. */
  guestNetworks: string[];
  /** From where the agent's inner ports are reached beside this node and its pods. */
  insiders: string[];
}

export function networkSettings(spec: Record<string, unknown> | undefined): NetworkSettings {
  const network = (spec?.network ?? {}) as Partial<NetworkSettings>;
  const {
    enabled = true,
    range = DEFAULT_NETWORK_RANGE,
    port = DEFAULT_NETWORK_PORT,
    reachable = 'Offloaded',
    largestClaim = DEFAULT_LARGEST_CLAIM,
    reserved = [],
    guestAccess = 'Internet',
    guestNetworks = [],
    insiders = [],
  } = network;
  return { enabled, range, port, reachable, largestClaim, reserved, guestAccess, guestNetworks, insiders };
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

/** Whether a pod of this cluster could have this address; where its pod network is not known, any may be. */
export function mayBePodAddress(nodes: readonly Node[], address: string): boolean {
  const found = findPodCidr(nodes);
  // Sockets that take both kinds show IPv4 in the form of IPv6.
  const number = parseIpv4(address.replace(/^::ffff:/i, ''));
  return 'refused' in found || (number !== undefined && contains(parsePrefix(found.podCidr), number));
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

/** What is known of the claims of others before it is decided about them. */
export interface ClaimsInput {
  /** As it stands in the own record. */
  own: ClaimOfMember;
  members: readonly { id: string; name?: string; network?: NetworkClaim }[];
  limits: ClaimLimits;
  /** What this node uses for other things. */
  used: readonly Prefix[];
  holders: Holders;
  /** Milliseconds since 1970. */
  now: number;
}

/** For each other member, its usable claim, or why there is none; and who holds what from now on. */
export function planPeerNetworks(input: ClaimsInput): { peers: Map<string, PeerNetwork>; holders: Holders } {
  const { members, limits, used } = input;
  const { holders, refusals } = planHolders(input.holders, wellFormed(members, limits), holderContext(input));
  const peers = members.map(({ id, network: claim }): [string, PeerNetwork] => {
    if (claim === undefined) return [id, refused('NoClaim', 'the member takes no part in the pod network')];
    const problem = problemOfForm(claim, limits) ?? refusals.get(id) ?? problemOfPlace(claim, limits.range, used);
    return [id, problem === undefined ? { claim } : { refused: problem }];
  });
  return { peers: new Map(peers), holders };
}

/** What claim-holders need to know beside the claims. */
export function holderContext({ own, members, limits, now }: Omit<ClaimsInput, 'holders' | 'used'>): HolderContext {
  const names = new Map(members.map(({ id, name }) => [id, name ?? id]));
  return { own, range: limits.range, members: new Set(names.keys()), nameOf: (id) => names.get(id) ?? id, now };
}

/** The claims in records that are well-formed; others can put nobody in the wrong. */
export function wellFormed(
  records: readonly { id: string; network?: NetworkClaim }[],
  limits: ClaimLimits,
): ClaimOfMember[] {
  return records.flatMap(({ id, network }) =>
    network === undefined || problemOfForm(network, limits) !== undefined ? [] : [{ id, claim: network }],
  );
}

/** What others may have of the same size as this cluster has itself: a federation of larger networks needs no setting. */
export function claimLimits({ range, largestClaim }: NetworkSettings, podCidr: string): ClaimLimits {
  return { range, largest: Math.min(largestClaim, parsePrefix(podCidr).length) };
}

/**
 * Networks of the shared address space in which clouds have services that no route of a node tells of, and an overlay network
 * its resolver: 100.100.2.136 and .138 (resolvers), 100.100.100.200 (metadata), 100.100.100.100 (resolver).
 */
const WELL_KNOWN = ['100.100.2.0/24', '100.100.100.0/24'];

/** What prefixes of members must not meet. @param routed what the node's routes tell of @param services networks of Services */
export function usedNetworks(
  { reserved }: Pick<NetworkSettings, 'reserved'>,
  routed: readonly string[],
  services: readonly string[],
): Prefix[] {
  return [...new Set([...WELL_KNOWN, ...reserved, ...routed, ...services])].flatMap((text) => readPrefix(text) ?? []);
}
