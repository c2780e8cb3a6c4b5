import { isReady, type Node, type Pod, type ResourceList } from '../kube-objects.ts';
import type { PeerObject } from '../membership/peer-object.ts';
import { EVERYTHING_TEXT, useOf, useText } from '../offer/peer-terms.ts';
import { isTerminal } from '../pod-phase.ts';
import { add, podRequests, toResourceList } from '../quantities/resources.ts';
import { roomHeldBack } from '../virtual-node/peer-room.ts';
import { ageText, counted } from './age.ts';
import { stateText } from './explain-pod.ts';
import { nodeOfPeer, podsFrom, podsOn, type World } from './world.ts';

/** One other member, as this cluster sees it. */
export interface MemberOverview {
  name: string;
  id: string;
  state: string;
  /** Of its agent, when it was connected last. */
  version?: string;
  /** RFC 3339; since when it is in this state. */
  since?: string;
  /** RFC 3339; only while it is not connected. */
  lastSeen?: string;
  roundTripMs?: number;
  endpoints: string[];
  /** How packets between pods travel: UDP or TLS. */
  network?: string;
  virtualNode?: { name: string; ready: boolean };
  /** What it offers to us, and what our pods there ask for. */
  offers: ResourceList;
  uses: ResourceList;
  podsOut: number;
  podsIn: number;
  /** What it may use of this cluster, where that is not all that is free. */
  mayUse?: string;
  /** The member by whose word it came in. */
  broughtInBy?: string;
  problem?: string;
}

/** One screen about the federation, JSON shape of `headcut status -o json`. */
export interface Overview {
  self: { id: string; name: string; version?: string; endpoints: string[]; podNetwork?: string };
  /** Sentences, the worst first; empty when all is well. */
  problems: string[];
  members: MemberOverview[];
}

/** Something that is wrong, and what it is about. */
export interface Problem {
  /** A sentence. */
  text: string;
  /** What to do next. */
  next?: string;
  /** Name of the peer that it is about. */
  peer?: string;
  /** The pod that it is about, or the first of them. */
  pod?: { namespace: string; name: string };
}

/** A pod that its peer has not started after this long is worth a line. */
const SLOW_AFTER_MS = 60_000;

export function overviewOf(world: World): Overview {
  const { id = '', name = '', version, endpoints = [], network } = world.federation.status ?? {};
  const members = world.peers.map((peer) => memberOverview(world, peer));
  const prefix = network?.prefix ?? undefined;
  return {
    self: {
      ...{ id, name, endpoints },
      ...(version === undefined ? {} : { version }),
      ...(prefix === undefined ? {} : { podNetwork: prefix }),
    },
    problems: problemsOf(world, members).map(({ text }) => text),
    members,
  };
}

/** What is wrong, the worst first; empty when all is well. @param members those of the world, as they were looked at already */
export function problemsOf(
  world: World,
  members = world.peers.map((peer): MemberOverview => memberOverview(world, peer)),
): Problem[] {
  return [
    ...federationProblems(world),
    ...members.flatMap((member) =>
      memberProblems(world, member).map((text) => ({ text, peer: member.name, next: nextForMember(member) })),
    ),
    ...podProblems(world),
  ];
}

function nextForMember({ name, state }: MemberOverview): string {
  return state === 'Connected'
    ? `headcut explain peer ${name} says why`
    : `headcut doctor --peer ${name} looks for the cause; headcut what-if ${name} says what its pods would do if it stays away`;
}

export function memberOverview(world: World, peer: PeerObject): MemberOverview {
  const { spec, status = {}, metadata } = peer;
  const connected = status.conditions?.find((condition) => condition.type === 'Connected');
  const node = nodeOfPeer(world, spec.id);
  const out = podsOn(world, spec.id).filter((pod) => !isTerminal(pod.status));
  const { lastSeen, network } = status;
  const roundTripMs = (status as { roundTripMs?: unknown }).roundTripMs;
  const mayUse = useText(useOf(peer, world.federation));
  const problem = connected?.status === 'True' ? undefined : connected?.message;
  return {
    name: metadata.name,
    id: spec.id,
    state: status.state ?? 'Unknown',
    ...(status.version === undefined ? {} : { version: status.version }),
    ...(connected?.lastTransitionTime === undefined ? {} : { since: connected.lastTransitionTime }),
    ...(typeof lastSeen === 'string' ? { lastSeen } : {}),
    ...(typeof roundTripMs === 'number' ? { roundTripMs } : {}),
    endpoints: spec.endpoints,
    ...(typeof network?.path === 'string' ? { network: network.path } : {}),
    ...(node === undefined ? {} : { virtualNode: { name: node.metadata.name, ready: isReady(node) } }),
    offers: node?.status?.allocatable ?? {},
    uses: toResourceList(add(...out.map(podRequests))),
    podsOut: out.length,
    podsIn: podsFrom(world, spec.id).filter((pod) => !isTerminal(pod.status)).length,
    ...(mayUse === EVERYTHING_TEXT ? {} : { mayUse }),
    ...(status.broughtInBy === undefined ? {} : { broughtInBy: status.broughtInBy }),
    ...(problem === undefined ? {} : { problem }),
  };
}

function federationProblems({ federation }: World): Problem[] {
  const { problem, pending } = federation.status ?? {};
  const waiting = (pending ?? []).filter(({ reason }) => reason !== undefined);
  const [first] = waiting;
  return [
    ...(typeof problem === 'string' ? [{ text: problem, next: 'headcut doctor looks for the cause' }] : []),
    ...(first === undefined
      ? []
      : [
          {
            text: `${counted(waiting.length, 'newcomer')} wait for headcut approve, such as ${first.name}: ${first.reason}`,
            next: `headcut approve ${first.name} lets it in`,
          },
        ]),
  ];
}

function memberProblems(world: World, member: MemberOverview): string[] {
  const { name, state, since, problem, virtualNode, podsOut } = member;
  if (state !== 'Connected') {
    const affected = podsOut === 0 ? '' : `; ${counted(podsOut, 'pod')} of ours bound to it`;
    const why = problem === undefined ? '' : `: ${problem}`;
    return [`peer ${name} is ${stateText(state)}${ageText(world.now, since, ' for ')}${why}${affected}`];
  }
  if (virtualNode === undefined) return [`peer ${name} is connected and has no virtual node here yet`];
  const node = world.nodes.find((one) => one.metadata.name === virtualNode.name);
  if (virtualNode.ready) {
    const held = heldBack(world, name, node);
    return held === undefined
      ? []
      : [`node ${virtualNode.name} shows less than ${name} offers (${held}): it refused pods, or did not keep them`];
  }
  const ready = node?.status?.conditions?.find((one) => one.type === 'Ready');
  return [`node ${virtualNode.name} is not Ready: ${ready?.message ?? 'it has not said why'}`];
}

/** Which part of its offer the node of a peer does not show; the peer's status is behind by some seconds. */
export function heldBack(world: World, peer: string, node: Node | undefined): string | undefined {
  const { offer } = world.peers.find(({ metadata }) => metadata.name === peer)?.status ?? {};
  const ready = node?.status?.conditions?.find((one) => one.type === 'Ready');
  if (node === undefined || offer?.accepting !== true || ready?.reason !== 'PeerWithoutRoom') return undefined;
  return roomHeldBack(offer.allocatable, node);
}

function podProblems(world: World): Problem[] {
  const virtual = new Set(world.peers.flatMap((peer) => nodeOfPeer(world, peer.spec.id)?.metadata.name ?? []));
  const stuck = world.pods.filter((pod) => virtual.has(pod.spec.nodeName ?? '') && isStuck(pod, world.now));
  if (stuck.length === 0) return [];
  const [first] = stuck;
  const { namespace = '', name = '' } = first?.metadata ?? {};
  const key = `${namespace}/${name}`;
  const reason = first?.status?.reason === undefined ? '' : ` (${first.status.reason})`;
  const many = stuck.length === 1 ? 'an offloaded pod waits' : `${stuck.length} offloaded pods wait`;
  const next = `headcut explain pod ${name} -n ${namespace} says why`;
  return [{ text: `${many}, such as ${key}${reason}; ${next}`, next, pod: { namespace, name } }];
}

function isStuck(pod: Pod, now: number): boolean {
  if ((pod.status?.phase ?? 'Pending') !== 'Pending') return false;
  return pod.status?.reason !== undefined || now - Date.parse(pod.metadata.creationTimestamp ?? '') > SLOW_AFTER_MS;
}

/** A pod of ours elsewhere, or of another member here; a row of `headcut pods`. */
export interface TravellingPod {
  direction: 'out' | 'in';
  namespace: string;
  name: string;
  /** Where it runs (out), or whose it is (in). */
  peer: string;
  phase: string;
  ready: boolean;
  /** RFC 3339. */
  created: string;
  /** The namespace on the owner's cluster; only for pods from elsewhere. */
  originNamespace?: string;
  reason?: string;
}

export function travellingPods(world: World): TravellingPod[] {
  const rows = world.peers.flatMap((peer) => [
    ...podsOn(world, peer.spec.id).map((pod) => travellingPod('out', peer.metadata.name, pod)),
    ...podsFrom(world, peer.spec.id).map((pod) => ({
      ...travellingPod('in', peer.metadata.name, pod),
      originNamespace: pod.metadata.labels?.['headcut.dev/origin-namespace'] ?? '',
    })),
  ]);
  const key = (row: TravellingPod): string => `${row.direction === 'out' ? 0 : 1} ${row.namespace}/${row.name}`;
  return rows.sort((a, b) => key(a).localeCompare(key(b)));
}

function travellingPod(direction: 'out' | 'in', peer: string, pod: Pod): TravellingPod {
  const { phase = 'Pending', reason, conditions } = pod.status ?? {};
  return {
    direction,
    namespace: pod.metadata.namespace ?? '',
    name: pod.metadata.name,
    peer,
    phase: pod.metadata.deletionTimestamp === undefined ? phase : 'Terminating',
    ready: conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true,
    created: pod.metadata.creationTimestamp ?? '',
    ...(reason === undefined ? {} : { reason }),
  };
}
