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
  /** When it is told as it is then; milliseconds since 1970. */
  until: number;
}

/** Far more controllers than a cluster of one node has; of more, the oldest are told as they are. */
const MAX_FOLLOWED = 1_000;
/** What is not replaced by then is told without a time; so is what nothing happens to any more, as its controller is gone. */
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
  /** By UID of the controller, the oldest first. */
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
    const moments = this.#giveUp(({ until }) => until <= now, now);
    if (
      after !== undefined &&
      isSuperseded(after) &&
      (before === undefined || !isSuperseded(before)) &&
      peer !== undefined
    )
      moments.push(...this.#follow(after, peer, now));
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

  #follow(pod: Pod, peer: string, now: number): Moment[] {
    const controller = controllerOf(pod)?.uid;
    const uid = pod.metadata.uid ?? '';
    if (controller === undefined) return [];
    const open = this.#open.get(controller);
    if (open !== undefined) {
      open.lost.add(uid);
      return [];
    }
    const told = this.#giveUp(() => this.#open.size >= MAX_FOLLOWED, now);
    const others = this.#deps.siblings(controller).filter((one) => isReady(one) && !isSuperseded(one));
    this.#open.set(controller, {
      ...{ peer, ...nameOf(pod) },
      lost: new Set([uid]),
      before: new Set(others.map(({ metadata }) => metadata.uid ?? '')),
      since: this.#deps.silentSince(peer) ?? now,
      until: now + GIVE_UP_MS,
    });
    return told;
  }

  #look(controller: string, now: number): Moment[] {
    const open = this.#open.get(controller);
    return open === undefined || this.#madeBy(controller, open) < open.lost.size
      ? []
      : [this.#close(controller, open, now)];
  }

  #giveUp(isOver: (open: Replacement) => boolean, now: number): Moment[] {
    const moments: Moment[] = [];
    for (const [controller, open] of this.#open) if (isOver(open)) moments.push(this.#close(controller, open, now));
    return moments;
  }

  /** How many pods that came since are Ready. */
  #madeBy(controller: string, { before, lost }: Replacement): number {
    return this.#deps
      .siblings(controller)
      .filter(({ metadata: { uid = '' }, status }) => !before.has(uid) && !lost.has(uid) && !isTerminal(status))
      .filter((pod) => pod.metadata.deletionTimestamp === undefined && isReady(pod)).length;
  }

  #close(controller: string, open: Replacement, now: number): Moment {
    const missing = open.lost.size - this.#madeBy(controller, open);
    this.#open.delete(controller);
    const { peer, namespace, workload, lost, since } = open;
    const seconds = Math.round((now - since) / 100) / 10;
    return {
      at: new Date(now).toISOString(),
      kind: 'failover',
      ...{ peer, namespace, workload },
      pods: lost.size,
      ...(missing > 0 ? { text: `${missing} not replaced` } : { seconds }),
    };
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
