import { CodedError } from '../core/coded-error.ts';
import { isReady, type Node, objectKey, type Pod } from '../core/kube-objects.ts';
import { isTerminal } from '../core/pod-phase.ts';
import { type Move, planRebalance } from '../core/rebalance/plan-rebalance.ts';
import type { KubeClient } from '../kube/client.ts';
import { evictPod } from '../kube/evict-pod.ts';
import { NODES, PODS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { explain } from './cluster.ts';

export interface RebalanceOptions {
  /** Until nothing is left to move; then the rest is reported. */
  timeoutMs: number;
  dryRun: boolean;
  clock: Clock;
  signal: AbortSignal;
}

export type RebalanceProgress =
  | { type: 'moving'; pod: string; from: string; to: string }
  | { type: 'held-back'; pod: string; message: string }
  /** Its controller's replicas are no more even than before: something else decides where they go. */
  | { type: 'kept'; pod: string }
  | { type: 'even'; moved: number };

const LOOK_EVERY_MS = 1_000;

/**
 * Evens out the replicas of a namespace's Deployments over all members, as after the return of a lost one: evicts one replica of
 * each at a time (budgets are respected), and the next when all are Ready. The scheduler chooses the place. Can be interrupted and
 * run again at any time.
 */
export async function* rebalance(
  client: KubeClient,
  namespace: string,
  options: RebalanceOptions,
): AsyncGenerator<RebalanceProgress> {
  const { clock, signal, timeoutMs, dryRun } = options;
  const until = clock.monotonic() + timeoutMs;
  /** The skew at which each controller's last move was made. */
  const tried = new Map<string, number>();
  const given = new Set<string>();
  const told = new Set<string>();
  let moved = 0;
  let ailing: Set<string> | undefined;
  for (;;) {
    const { moves, unready } = await look(client, namespace);
    // What did not run before is not waited for.
    ailing ??= new Set(unready);
    const settled = unready.every((uid) => ailing?.has(uid));
    if (dryRun) {
      for (const move of moves) yield moving(move);
      return yield { type: 'even', moved: moves.length };
    }
    const open = moves.filter(({ controller }) => !given.has(controller));
    if (open.length === 0 && settled) return yield { type: 'even', moved };
    for (const move of open) {
      const { pod, controller, skew } = move;
      if ((tried.get(controller) ?? Number.POSITIVE_INFINITY) <= skew) {
        given.add(controller);
        yield { type: 'kept', pod: objectKey(pod) };
        continue;
      }
      const held = await evictPod(client, pod);
      if (held === undefined) {
        tried.set(controller, skew);
        moved += 1;
        yield moving(move);
      } else if (!told.has(controller)) {
        told.add(controller);
        yield { type: 'held-back', pod: objectKey(pod), message: held };
      }
    }
    if (clock.monotonic() >= until)
      throw new CodedError(
        'Unavailable',
        `the replicas are not even after ${Math.round(timeoutMs / 1000)}s; run the same command again to go on`,
      );
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/** The moves to make now, and the UIDs of pods that are coming or going. */
async function look(client: KubeClient, namespace: string): Promise<{ moves: Move[]; unready: string[] }> {
  try {
    const [nodes, all] = await Promise.all([client.list<Node>(NODES), client.list<Pod>(PODS)]);
    const own = all.items.filter((pod) => pod.metadata.namespace === namespace);
    const unready = own
      .filter((pod) => !isTerminal(pod.status) && !isSteady(pod))
      .map(({ metadata }) => metadata.uid ?? '');
    // What others take of a node's room counts too.
    const moves = planRebalance({ pods: all.items, nodes: nodes.items });
    return { moves: moves.filter(({ pod }) => pod.metadata.namespace === namespace), unready };
  } catch (error) {
    throw explain(error);
  }
}

function isSteady(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && isReady(pod);
}

function moving({ pod, from, to }: Move): RebalanceProgress {
  return { type: 'moving', pod: objectKey(pod), from, to };
}
