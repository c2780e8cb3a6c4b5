import { fencedAt } from '../../core/fencing/lease.ts';

/** The consumer's side of fencing: knows from when on pods on a peer out of contact have stopped there. */
export class LeaseGrants {
  readonly #uptime: () => number;
  /** Before that another process of this agent may have answered. */
  readonly #startedAt: number;
  readonly #answeredAt = new Map<string, number>();

  /** @param uptime ms of a clock that goes on while the machine sleeps */
  constructor(uptime: () => number) {
    this.#uptime = uptime;
    this.#startedAt = uptime();
  }

  /** A peer asked whether it may go on with fenced pods of ours; it may. */
  grant(peerId: string): void {
    this.#answeredAt.set(peerId, this.#uptime());
  }

  /** How long (ms) it takes until a pod that is fenced after `afterMs` has stopped on a peer that asks no more; 0 when it has. */
  fencedInMs(peerId: string, afterMs: number): number {
    const answeredAt = this.#answeredAt.get(peerId) ?? this.#startedAt;
    return Math.max(0, fencedAt(answeredAt, afterMs) - this.#uptime());
  }
}
