import type { Offer } from '../exchange/offer.ts';
import type { Condition, Node, NodeInfo, ResourceList, Taint } from '../kube-objects.ts';
import {
  MANAGED_BY,
  MANAGED_BY_LABEL,
  PEER_LABEL,
  UNREACHABLE_TAINT,
  VIRTUAL_NODE_PREFIX,
  VIRTUAL_NODE_TAINT,
} from '../labels.ts';
import { plainLine } from '../plain-text.ts';
import type { RoomState } from './peer-room.ts';

export type PeerReachability = 'Connected' | 'Suspect' | 'Unreachable' | 'Left';

export interface VirtualNodeInput {
  peerId: string;
  peerName: string;
  state: PeerReachability;
  offer: Offer | undefined;
  /** Address and port at which the API server reaches our kubelet server. */
  address: string;
  port: number;
  /** Whether the peer kept what it offered: if not, its node shows less. */
  room?: RoomState;
  /** RFC 3339. */
  now: string;
}

/** On the virtual node of a former member, and on pods that end because of that. */
export const PEER_LEFT_REASON = 'PeerLeft';

/** The name of the virtual node of a peer. */
export function virtualNodeName(peerName: string): string {
  return `${VIRTUAL_NODE_PREFIX}${peerName}`;
}

/** Labels of a virtual node. `type` keeps autoscalers and our DaemonSet exclusion informed; each has a zone of its own. */
export function nodeLabels(input: Pick<VirtualNodeInput, 'peerId' | 'peerName' | 'offer'>): Record<string, string> {
  const name = virtualNodeName(input.peerName);
  const info: NodeInfo = input.offer?.nodeInfo ?? {};
  return {
    ...(info.architecture === undefined ? {} : { 'kubernetes.io/arch': info.architecture }),
    ...(info.operatingSystem === undefined ? {} : { 'kubernetes.io/os': info.operatingSystem }),
    ...input.offer?.labels,
    'kubernetes.io/hostname': name,
    'kubernetes.io/role': 'peer',
    'topology.kubernetes.io/zone': name,
    type: 'virtual-kubelet',
    'node.kubernetes.io/exclude-from-external-load-balancers': 'true',
    [PEER_LABEL]: input.peerId,
    [MANAGED_BY_LABEL]: MANAGED_BY,
  };
}

/** Taints of ours; those of Kubernetes' own controllers are kept. */
export function nodeTaints(current: readonly Taint[], state: PeerReachability): Taint[] {
  const foreign = current.filter((taint) => taint.key !== VIRTUAL_NODE_TAINT && taint.key !== UNREACHABLE_TAINT);
  const own: Taint[] = [{ key: VIRTUAL_NODE_TAINT, effect: 'NoSchedule' }];
  if (state === 'Unreachable' || state === 'Left') {
    own.push({ key: UNREACHABLE_TAINT, effect: 'NoSchedule' });
  }
  return [...own, ...foreign];
}

/** True when both lists hold the same keys and effects, whatever the order and times. */
export function sameTaints(a: readonly Taint[], b: readonly Taint[]): boolean {
  const texts = (taints: readonly Taint[]): string =>
    taints
      .map((taint) => `${taint.key}=${taint.value ?? ''}:${taint.effect}`)
      .sort()
      .join();
  return texts(a) === texts(b);
}

/** The status part that says all we know about the peer; conditions keep their transition time while nothing changes. @param believed how much of the offer is believed; undefined: all */
export function nodeStatus(
  input: VirtualNodeInput,
  current: Node | undefined,
  believed?: ResourceList,
): NonNullable<Node['status']> {
  const { offer } = input;
  // What is shown already has to be named, or it would stay.
  const shown = { cpu: '', memory: '', pods: '', ...current?.status?.allocatable, ...offer?.allocatable };
  const zero = Object.fromEntries(Object.keys(shown).map((name) => [name, '0']));
  const allocatable =
    offer?.accepting === true && offer.evacuate !== true ? { ...zero, ...(believed ?? offer.allocatable) } : zero;
  return {
    capacity: offer?.capacity ?? zero,
    allocatable,
    conditions: conditionsOf(input, current),
    addresses: [{ type: 'InternalIP', address: input.address }],
    daemonEndpoints: { kubeletEndpoint: { Port: input.port } },
    nodeInfo: { ...emptyNodeInfo(), ...offer?.nodeInfo },
  };
}

/** The API server wants all of these to be there. */
function emptyNodeInfo(): NodeInfo {
  const names = [
    'machineID',
    'systemUUID',
    'bootID',
    'kernelVersion',
    'osImage',
    'containerRuntimeVersion',
    'kubeletVersion',
  ];
  return Object.fromEntries(
    [...names, 'kubeProxyVersion', 'operatingSystem', 'architecture'].map((name) => [name, '']),
  );
}

function conditionsOf(input: VirtualNodeInput, current: Node | undefined): Condition[] {
  const ready = readyCondition(input);
  const healthy = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'NetworkUnavailable'].map((type) => ({
    type,
    status: 'False' as const,
    reason: 'PeerHasNoPressure',
    message: 'not a machine of its own: the peer says what it can take by its offer',
  }));
  return [ready, ...healthy].map((wanted) => {
    const before = current?.status?.conditions?.find((one) => one.type === wanted.type);
    const same = before?.status === wanted.status;
    const unchanged = same && before.reason === wanted.reason && before.message === wanted.message;
    return {
      ...wanted,
      lastTransitionTime: (same ? before.lastTransitionTime : undefined) ?? input.now,
      lastHeartbeatTime: (unchanged ? (before.lastHeartbeatTime as string | undefined) : undefined) ?? input.now,
    };
  });
}

function readyCondition({ state, peerName, offer, room = 'open' }: VirtualNodeInput): Condition {
  if (state === 'Left') {
    const message = `${peerName} is no member any more; the node goes when no pod of which there must be one can run there`;
    return { type: 'Ready', status: 'False', reason: PEER_LEFT_REASON, message };
  }
  if (state === 'Unreachable') {
    return { type: 'Ready', status: 'False', reason: 'PeerUnreachable', message: `no contact with ${peerName}` };
  }
  if (offer === undefined) {
    return { type: 'Ready', status: 'False', reason: 'NoOffer', message: `${peerName} has not made an offer yet` };
  }
  if (!offer.accepting && offer.running === true) {
    // Kubernetes would take the pods that run there out of their Services.
    return {
      type: 'Ready',
      status: 'True',
      reason: 'PeerClosed',
      message: plainLine(offer.reason ?? `${peerName} takes no pods now`),
    };
  }
  if (!offer.accepting) {
    return {
      type: 'Ready',
      status: 'False',
      reason: 'PeerNotReady',
      message: plainLine(offer.reason ?? `${peerName} takes no pods now`),
    };
  }
  if (room !== 'open') {
    const now = room === 'closed' ? 'none goes there for a while' : 'one at a time is tried';
    const message = `${peerName} refused pods for which it offers room, or did not keep them; ${now}`;
    return { type: 'Ready', status: 'True', reason: 'PeerWithoutRoom', message };
  }
  return { type: 'Ready', status: 'True', reason: 'PeerConnected', message: `${peerName} answers and offers room` };
}
