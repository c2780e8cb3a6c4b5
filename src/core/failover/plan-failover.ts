import { disruptionTarget } from '../disruption.ts';
import { considerNode, freeOn } from '../explain/candidate.ts';
import type { Condition, Node, Pod } from '../kube-objects.ts';
import { objectKey } from '../kube-objects.ts';
import { isTerminal } from '../pod-phase.ts';
import { type Amounts, podRequests, subtract } from '../quantities/resources.ts';
import type { FailoverRule } from './failover-rule.ts';

/** Reason of the DisruptionTarget condition of pods that were replaced because their peer was lost. */
export const PEER_LOST_REASON = 'PeerLost';

/**
 * Peers that were lost together come back together, within the time in which they are dialled again: nothing moves to the
 * first of them meanwhile.
 */
export const SETTLE_MS = 5_000;

export interface FailoverObservation {
  /** Virtual nodes of lost peers, and when (monotonic ms) the loss was noticed. */
  lost: ReadonlyMap<string, number>;
  nodes: readonly Node[];
  pods: readonly Pod[];
  ruleOf(pod: Pod): FailoverRule;
  /** Its data is where it is, and nowhere else. */
  isPinned?(pod: Pod): boolean;
  /** When a lost peer came back last (monotonic ms). */
  returnedAt: number | undefined;
  /** Monotonic ms. */
  now: number;
}

export interface FailoverPlan {
  /** Whose time has come and for whom there is room elsewhere. */
  evict: Pod[];
  /** Whose time has come, but there is nowhere to go: they stay as they are, for their peer may come back. */
  stuck: Pod[];
  /** When the next pod's time comes. */
  nextInMs: number | undefined;
}

/** Which pods of lost peers are to be replaced now. Nothing moves for which there is no room, whatever the time. */
export function planFailover(observed: FailoverObservation): FailoverPlan {
  const { lost, nodes, pods, now } = observed;
  const waiting = pods.flatMap((pod) => dueOf(observed, pod)).sort(byDueTime);
  const due = waiting.filter(({ at }) => at <= now);
  const next = waiting.find(({ at }) => at > now);
  const nextInMs = next === undefined ? undefined : next.at - now;
  if (due.length === 0) return { evict: [], stuck: [], nextInMs };
  const room = new Room(
    nodes.filter((node) => !lost.has(node.metadata.name)),
    pods,
  );
  // Pods that wait for a node take their room first: among them the replacements that were made for evicted ones.
  for (const pod of pods) if (isWaiting(pod)) room.take(pod);
  const evict: Pod[] = [];
  const stuck: Pod[] = [];
  for (const { pod } of due) (observed.isPinned?.(pod) !== true && room.take(pod) ? evict : stuck).push(pod);
  return { evict, stuck, nextInMs };
}

/** Says on a pod that is about to be replaced why it is. @param now RFC 3339 */
export function disruptionPatch(
  pod: Pod,
  now: string,
): { metadata: { uid: string }; status: { conditions: Condition[] } } {
  const target = disruptionTarget(
    PEER_LOST_REASON,
    'the cluster that runs the pod cannot be reached; it is replaced',
    now,
  );
  return { metadata: { uid: pod.metadata.uid ?? '' }, status: { conditions: [target] } };
}

interface Due {
  pod: Pod;
  at: number;
}

function dueOf({ lost, ruleOf, returnedAt, now }: FailoverObservation, pod: Pod): Due[] {
  const since = lost.get(pod.spec.nodeName ?? '');
  if (since === undefined || pod.metadata.deletionTimestamp !== undefined || isTerminal(pod.status)) return [];
  const rule = ruleOf(pod);
  if (!rule.move) return [];
  const settled = returnedAt === undefined ? 0 : returnedAt + SETTLE_MS;
  return [{ pod, at: Math.max(since + rule.afterMs, settled, now + (rule.stoppedInMs ?? 0)) }];
}

/** In an order that does not depend on that of the input. */
function byDueTime(a: Due, b: Due): number {
  return a.at - b.at || (objectKey(a.pod) < objectKey(b.pod) ? -1 : 1);
}

function isWaiting({ spec, status, metadata }: Pod): boolean {
  return (spec.nodeName ?? '') === '' && !isTerminal(status) && metadata.deletionTimestamp === undefined;
}

/** What is free on the nodes that are left, given out pod by pod. */
class Room {
  readonly #nodes: { node: Node; free: Amounts }[];

  constructor(nodes: readonly Node[], pods: readonly Pod[]) {
    this.#nodes = nodes.map((node) => ({ node, free: freeOn(node, pods) }));
  }

  /** False when no node can take the pod. */
  take(pod: Pod): boolean {
    const place = this.#nodes.find(({ node, free }) => considerNode(pod, node, free).obstacles.length === 0);
    if (place === undefined) return false;
    place.free = subtract(place.free, podRequests(pod));
    return true;
  }
}
