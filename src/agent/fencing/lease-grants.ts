import { CodedError } from '../../core/coded-error.ts';
import { isSuperseded } from '../../core/failover/superseded.ts';
import { fencedAt } from '../../core/fencing/lease.ts';
import type { Pod } from '../../core/kube-objects.ts';
import { isTerminal } from '../../core/pod-phase.ts';
import type { Store } from '../../kube/store.ts';
import type { CallHandlers } from '../../peering/serving.ts';

/** The consumer's side of fencing: knows from when on pods on a peer out of contact have stopped there. */
export class LeaseGrants {
  readonly #pods: Pick<Store<Pod>, 'list' | 'synced'>;
  readonly #uptime: () => number;
  /** Before that another process of this agent may have answered. */
  readonly #startedAt: number;
  readonly #answeredAt = new Map<string, number>();
  /** UIDs of pods whose place is given to others: no peer may go on with them, whatever the cache shows. */
  readonly #letGo = new Set<string>();

  /**
   * @param pods all pods of this cluster
   * @param uptime ms of a clock that goes on while the machine sleeps
   */
  constructor(pods: Pick<Store<Pod>, 'list' | 'synced'>, uptime: () => number) {
    this.#pods = pods;
    this.#uptime = uptime;
    this.#startedAt = uptime();
  }

  /** What peers ask about fenced pods of ours. */
  get calls(): Pick<CallHandlers, 'lease'> {
    return { lease: ({ peerId, body }) => ({ ended: this.grant(peerId, body?.pods ?? []) }) };
  }

  /**
   * A peer asks whether it may go on with these fenced pods (UIDs) of ours. It may, but for those that have ended here, or were
   * replaced: it was away, or started anew, and has still to hear that.
   * @returns these; throws Unavailable while the pods are not known yet
   */
  grant(peerId: string, asked: readonly string[]): string[] {
    if (!this.#pods.synced) throw new CodedError('Unavailable', 'the agent is starting; try again in a moment');
    this.#answeredAt.set(peerId, this.#uptime());
    if (asked.length === 0) return [];
    const known = new Map(this.#pods.list().map((pod) => [pod.metadata.uid, pod]));
    for (const uid of this.#letGo) if (!known.has(uid)) this.#letGo.delete(uid);
    return asked.filter((uid) => {
      const pod = known.get(uid);
      return pod === undefined || this.#letGo.has(uid) || isTerminal(pod.status) || isSuperseded(pod);
    });
  }

  /**
   * To be asked right before the place of a pod is given to another: true when it has stopped for sure, which holds from then on.
   * @param afterMs its fencing time
   */
  letGo(peerId: string, uid: string, afterMs: number): boolean {
    if (this.fencedInMs(peerId, afterMs, uid) > 0) return false;
    this.#letGo.add(uid);
    return true;
  }

  /** How long (ms) it takes until a pod that is fenced after `afterMs` has stopped on a peer that asks no more; 0 when it has. */
  fencedInMs(peerId: string, afterMs: number, uid?: string): number {
    if (uid !== undefined && this.#letGo.has(uid)) return 0;
    const answeredAt = this.#answeredAt.get(peerId) ?? this.#startedAt;
    return Math.max(0, fencedAt(answeredAt, afterMs) - this.#uptime());
  }
}
