import { makerOf } from '../explain/maker.ts';
import { isSuperseded } from '../failover/superseded.ts';
import { controllerOf, isReady, type Pod } from '../kube-objects.ts';
import { isTerminal } from '../pod-phase.ts';
import type { Moment } from './moment.ts';

/** Pods of one controller that were replaced because their peer was lost, until the others are Ready. */
interface Replacement {
  peer: string;
  namespace: string;
  workload: string;
  /** UIDs of the pods that were given up. */
  lost: Set<string>;
  /** UIDs of others that were there already: they replace nobody. */
  before: Set<string>;
  /** When the peer was heard of last, as far as it is known; milliseconds since 1970. */
  since: number;
}

/** Far more controllers than a cluster of one node has; more are not followed. */
const MAX_FOLLOWED = 1_000;
/** What is not replaced by then is told without a time. */
const GIVE_UP_MS = 10 * 60_000;

export interface PodHistoryDeps {
  /** Name of the peer that a node stands for; undefined for another node. */
  peerOf(nodeName: string | undefined): string | undefined;
  /** When the contact with a peer was lost; milliseconds since 1970. */
  silentSince(peer: string): number | undefined;
  /** Pods of the same controller. */
  siblings(controllerUid: string): readonly Pod[];
}

/** Tells from changes of pods what happened to them: failovers with their time, moves, refusals. */
export class PodHistory {
  readonly #deps: PodHistoryDeps;
  readonly #open = new Map<string, Replacement>();

  constructor(deps: PodHistoryDeps) {
    this.#deps = deps;
  }

  /** @param now milliseconds since 1970 */
  note(before: Pod | undefined, after: Pod | undefined, now: number): Moment[] {
    const pod = after ?? before;
    if (pod === undefined) return [];
    const at = new Date(now).toISOString();
    const peer = this.#deps.peerOf(pod.spec.nodeName);
    const moments: Moment[] = [];
    if (
      after !== undefined &&
      isSuperseded(after) &&
      (before === undefined || !isSuperseded(before)) &&
      peer !== undefined
    )
      this.#follow(after, peer, now);
    else if (after !== undefined && peer !== undefined && isMoved(after) && (before === undefined || !isMoved(before)))
      moments.push({ at, kind: 'moved', peer, ...nameOf(after), pods: 1 });
    if (after?.status?.reason === 'RefusedByProvider' && before?.status?.reason !== 'RefusedByProvider')
      moments.push({
        at,
        kind: 'refused',
        ...(peer === undefined ? {} : { peer }),
        ...nameOf(after),
        text: after.status.message ?? '',
      });
    const controller = controllerOf(pod)?.uid;
    return controller === undefined ? moments : [...moments, ...this.#look(controller, now)];
  }

  #follow(pod: Pod, peer: string, now: number): void {
    const controller = controllerOf(pod)?.uid;
    const uid = pod.metadata.uid ?? '';
    if (controller === undefined) return;
    const open = this.#open.get(controller);
    if (open !== undefined) return void open.lost.add(uid);
    if (this.#open.size >= MAX_FOLLOWED) return;
    const others = this.#deps.siblings(controller).filter((one) => isReady(one) && !isSuperseded(one));
    this.#open.set(controller, {
      ...{ peer, ...nameOf(pod) },
      lost: new Set([uid]),
      before: new Set(others.map(({ metadata }) => metadata.uid ?? '')),
      since: this.#deps.silentSince(peer) ?? now,
    });
  }

  #look(controller: string, now: number): Moment[] {
    const open = this.#open.get(controller);
    if (open === undefined) return [];
    const made = this.#deps
      .siblings(controller)
      .filter(
        ({ metadata: { uid = '' }, status }) => !open.before.has(uid) && !open.lost.has(uid) && !isTerminal(status),
      )
      .filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod));
    const late = now - open.since > GIVE_UP_MS;
    if (made.length < open.lost.size && !late) return [];
    this.#open.delete(controller);
    const { peer, namespace, workload, lost, since } = open;
    const seconds = Math.round((now - since) / 100) / 10;
    return [
      {
        at: new Date(now).toISOString(),
        kind: 'failover',
        ...{ peer, namespace, workload },
        pods: lost.size,
        ...(made.length < lost.size ? { text: `${lost.size - made.length} not replaced` } : { seconds }),
      },
    ];
  }
}

/** Evicted by somebody, such as by headcut drain or rebalance. */
function isMoved({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp !== undefined &&
    status?.conditions?.some(
      ({ type, reason }) => type === 'DisruptionTarget' && reason === 'EvictionByEvictionAPI',
    ) === true
  );
}

function nameOf(pod: Pod): { namespace: string; workload: string } {
  const { kind, name } = makerOf(pod);
  return { namespace: pod.metadata.namespace ?? '', workload: `${kind}/${name}` };
}
