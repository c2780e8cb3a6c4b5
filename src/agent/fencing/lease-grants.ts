import { CodedError } from '../../core/coded-error.ts';
import { isSuperseded } from '../../core/failover/superseded.ts';
import { fencedAt } from '../../core/fencing/lease.ts';
import type { Pod } from '../../core/kube-objects.ts';
import type { Store } from '../../kube/store.ts';

/** The consumer's side of fencing: knows from when on pods on a peer out of contact have stopped there. */
export class LeaseGrants {
  readonly #pods: Pick<Store<Pod>, 'list' | 'synced'>;
  readonly #uptime: () => number;
  /** Before that another process of this agent may have answered. */
  readonly #startedAt: number;
  readonly #answeredAt = new Map<string, number>();

  /**
   * @param pods all pods of this cluster
   * @param uptime ms of a clock that goes on while the machine sleeps
   */
  constructor(pods: Pick<Store<Pod>, 'list' | 'synced'>, uptime: () => number) {
    this.#pods = pods;
    this.#uptime = uptime;
    this.#startedAt = uptime();
  }

  /**
   * A peer asks whether it may go on with these fenced pods (UIDs) of ours. It may, but for those that were replaced, or deleted,
   * while it was away: it was started anew, and has still to hear that.
   * @returns these; throws Unavailable while the pods are not known yet
   */
  grant(peerId: string, asked: readonly string[]): string[] {
    if (!this.#pods.synced) throw new CodedError('Unavailable', 'the agent is starting; try again in a moment');
    this.#answeredAt.set(peerId, this.#uptime());
    if (asked.length === 0) return [];
    const ours = new Set(this.#pods.list().flatMap((pod) => (isSuperseded(pod) ? [] : [pod.metadata.uid])));
    return asked.filter((uid) => !ours.has(uid));
  }

  /** How long (ms) it takes until a pod that is fenced after `afterMs` has stopped on a peer that asks no more; 0 when it has. */
  fencedInMs(peerId: string, afterMs: number): number {
    const answeredAt = this.#answeredAt.get(peerId) ?? this.#startedAt;
    return Math.max(0, fencedAt(answeredAt, afterMs) - this.#uptime());
  }
}
