import type { Offer } from '../exchange/offer.ts';
import { isReady, type Node, type NodeInfo, type Pod, type ResourceList } from '../kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../labels.ts';
import { isTerminal } from '../pod-phase.ts';
import {
  type Amounts,
  add,
  amountOf,
  amountsFrom,
  clampedTo,
  larger,
  podRequests,
  subtract,
  toResourceList,
} from '../quantities/resources.ts';
import { capOf, leftOf, type PeerUse, within } from './peer-terms.ts';
import { OFFERED_LABELS } from './taken-offer.ts';

/** What runs, or is promised to run, on this cluster's real nodes. */
export interface Usage {
  /** Owner of the pod: the consumer's cluster ID, or undefined for pods of our own. */
  peerId: string | undefined;
  requests: Amounts;
}

/**
 * Real nodes that take pods now. One with a taint takes none but those that ask for it: what a kubelet under pressure, an
 * administrator or a controller sets (memory-pressure, disk-pressure, out-of-service…).
 */
export function usableNodes(nodes: readonly Node[]): Node[] {
  return readyNodes(nodes).filter(
    ({ spec }) =>
      spec?.unschedulable !== true &&
      spec?.taints?.some(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute') !== true,
  );
}

function readyNodes(nodes: readonly Node[]): Node[] {
  return nodes.filter((node) => node.metadata.labels?.[PEER_LABEL] === undefined && isReady(node));
}

/** Usage of all pods that are bound to a real node, or wait for one as offloaded pods do. */
export function usageOf(pods: readonly Pod[], nodes: readonly Node[]): Usage[] {
  const virtual = new Set(
    nodes.filter((node) => node.metadata.labels?.[PEER_LABEL] !== undefined).map((node) => node.metadata.name),
  );
  return pods
    .filter((pod) => countsHere(pod, virtual))
    .map((pod) => ({ peerId: pod.metadata.labels?.[ORIGIN_CLUSTER_LABEL], requests: podRequests(pod) }));
}

/** True for pods that take, or wait for, room on a real node of this cluster. */
export function countsHere(pod: Pod, virtualNodes: ReadonlySet<string>): boolean {
  if (isTerminal(pod.status)) return false;
  const { nodeName } = pod.spec;
  if (nodeName === undefined || nodeName === '') return pod.metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined;
  return !virtualNodes.has(nodeName);
}

/**
 * The offer for one peer: allocatable of the usable nodes − requests of everything that is not the peer's − reserve.
 * The peer's own pods are left in, since its scheduler subtracts them again.
 */
export function computeOffer(
  nodes: readonly Node[],
  usage: readonly Usage[],
  options: { peerId: string; reserve: Amounts; maintenance?: boolean; guestShare?: Amounts; use?: PeerUse },
): Offer {
  const maintenance = options.maintenance === true;
  const closed = whyClosed(nodes, maintenance) ?? options.use?.closed;
  const usable = closed === undefined ? usableNodes(nodes) : [];
  const allocatable = add(...usable.map((node) => amountsFrom(node.status?.allocatable)));
  const others = usage.filter((one) => one.peerId !== options.peerId).map((one) => one.requests);
  const own = usage.filter((one) => one.peerId === options.peerId).map((one) => one.requests);
  const free = withShares(
    within(
      clampedTo(allocatable, subtract(allocatable, add(options.reserve, ...others))),
      options.use === undefined ? {} : capOf(options.use, allocatable, options.reserve),
    ),
    add(...own),
    options.guestShare ?? {},
  );
  const first = usable[0];
  return {
    capacity: toResourceList(add(...usable.map((node) => amountsFrom(node.status?.capacity)))),
    allocatable: toResourceList(free),
    nodeInfo: offeredNodeInfo(first?.status?.nodeInfo ?? {}),
    labels: Object.fromEntries(OFFERED_LABELS.flatMap((name) => labelEntry(first, name))),
    accepting: closed === undefined,
    ...(closed === undefined ? {} : { reason: closed, running: readyNodes(nodes).length > 0 }),
    ...(maintenance ? { evacuate: true } : {}),
  };
}

/** As long as so many more pods fit that ask for nothing, their number is not what ends first. */
const MANY = 32n;

/**
 * A pod that asks for nothing counts for nothing at its home, and is given a share here: towards the end no more `pods` are offered than
 * there are shares left, or its home would send one after the other to be refused.
 * @param own what the peer's pods have here already, which is part of `free`
 */
function withShares(free: Amounts, own: Amounts, share: Amounts): Amounts {
  const left = subtract(free, own);
  const more = Object.entries(share)
    .filter(([name, milli]) => milli > 0n && name !== 'cpu' && free[name] !== undefined)
    .map(([name, milli]) => larger(amountOf(left, name), 0n) / milli);
  const [fewest = MANY] = [...more, MANY].sort((one, other) => Number(one - other));
  if (fewest >= MANY || free.pods === undefined) return free;
  return clampedTo(free, { ...free, pods: smaller(amountOf(own, 'pods') + fewest * 1_000n, free.pods) });
}

/** Math.min does not take bigint. */
function smaller(left: bigint, right: bigint): bigint {
  if (left < right) return left;
  return right;
}

/** Names of the resources that real nodes here have. */
export function offeredResources(nodes: readonly Node[]): ReadonlySet<string> {
  const real = nodes.filter((node) => node.metadata.labels?.[PEER_LABEL] === undefined);
  return new Set(real.flatMap(({ status }) => Object.keys(status?.allocatable ?? {})));
}

/** Why this cluster takes no pods of others now; undefined when it does. */
export function whyClosed(nodes: readonly Node[], maintenance: boolean): string | undefined {
  if (maintenance) return 'it is drained for maintenance';
  if (usableNodes(nodes).length > 0) return undefined;
  const taints = nodes
    .filter((node) => node.metadata.labels?.[PEER_LABEL] === undefined)
    .flatMap((node) => node.spec?.taints ?? [])
    .map(({ key }) => key);
  return taints.length === 0
    ? 'no node of the cluster is Ready and schedulable'
    : `no node of the cluster takes pods now: it has the taint ${[...new Set(taints)].join(', ')}`;
}

function labelEntry(node: Node | undefined, name: string): [string, string][] {
  const value = node?.metadata.labels?.[name];
  return value === undefined ? [] : [[name, value]];
}

/** IDs of machines stay at home. */
function offeredNodeInfo(info: NodeInfo): NodeInfo {
  const { architecture, operatingSystem, osImage, kernelVersion, kubeletVersion, containerRuntimeVersion } = info;
  return JSON.parse(
    JSON.stringify({ architecture, operatingSystem, osImage, kernelVersion, kubeletVersion, containerRuntimeVersion }),
  ) as NodeInfo;
}

/** Whether the terms of a peer leave room for another pod of it. @param usage what its pods have already, and those of others */
export function fitsTerms(
  requests: Amounts,
  { nodes, usage, reserve, peerId, use }: Asked,
): { ok: true } | { ok: false; reason: string; message: string } {
  const allocatable = add(...usableNodes(nodes).map((node) => amountsFrom(node.status?.allocatable)));
  const used = add(...usage.filter((one) => one.peerId === peerId).map((one) => one.requests));
  const left = leftOf(capOf(use, allocatable, reserve), used);
  const bounded = Object.fromEntries(Object.entries(requests).filter(([name]) => left[name] !== undefined));
  const verdict = fits(bounded, left);
  return verdict.ok ? verdict : { ...verdict, message: `${verdict.message} to this member by its terms there` };
}

export interface Asked {
  nodes: readonly Node[];
  usage: readonly Usage[];
  reserve: Amounts;
  peerId: string;
  use: PeerUse;
}

/** What is free for any pod now; reservations are usage too. */
export function freeNow(nodes: readonly Node[], usage: readonly Usage[], reserve: Amounts): Amounts {
  const allocatable = add(...usableNodes(nodes).map((node) => amountsFrom(node.status?.allocatable)));
  return subtract(allocatable, add(reserve, ...usage.map((one) => one.requests)));
}

/**
 * Whether a pod fits; the reason is the one that a kubelet gives (pkg/kubelet/lifecycle/predicate.go: `OutOf` + resource).
 * Nobody asks for less than nothing.
 */
export function fits(requests: Amounts, free: Amounts): { ok: true } | { ok: false; reason: string; message: string } {
  for (const [resource, wanted] of Object.entries(requests)) {
    const left = amountOf(free, resource);
    if (wanted === 0n || (wanted > 0n && wanted <= left)) continue;
    const { [resource]: asked = '' } = toResourceList({ [resource]: wanted });
    const { [resource]: rest = '' } = toResourceList({ [resource]: left > 0n ? left : 0n });
    return {
      ok: false,
      reason: `OutOf${resource}`,
      message: `the provider has not enough ${resource}: the pod asks for ${asked}, ${rest} left`,
    };
  }
  return { ok: true };
}

/** True when some resource of `next` is below `previous`, or it stopped accepting: such an offer is sent at once. */
export function isSmaller(next: Offer, previous: Offer): boolean {
  if (previous.accepting && !next.accepting) return true;
  const before: ResourceList = previous.allocatable;
  const after = amountsFrom(next.allocatable);
  return Object.entries(amountsFrom(before)).some(([name, milli]) => amountOf(after, name) < milli);
}
