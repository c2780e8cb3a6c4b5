import { objectKey } from '../../core/kube-objects.ts';
import { type PersistentVolumeClaim, requestedBytes } from '../../core/volume/volume-objects.ts';
import type { Clock } from '../../runtime/clock.ts';

/** A claim that was written and that the cache has not shown for so long was deleted meanwhile. */
const SHOWN_WITHIN_MS = 60_000;

/**
 * Claims that are being written for members, and those that the cache does not show yet as they were written: they take of what may be
 * given from the moment it was decided, or many who ask at once would all get the same room.
 */
export class PromisedClaims {
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** By key. `until` (monotonic ms): undefined while it is being written. */
  readonly #promised = new Map<string, { claim: PersistentVolumeClaim; until?: number }>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Whether a claim of that key is on its way. */
  has(key: string): boolean {
    return this.#promised.has(key);
  }

  /** Counts a claim as it is to be while it is written. What is not written is not counted any longer. */
  async during<T>(claim: PersistentVolumeClaim, write: () => Promise<T>, isWritten: (made: T) => boolean): Promise<T> {
    const key = objectKey(claim);
    const promise: { claim: PersistentVolumeClaim; until?: number } = { claim };
    this.#promised.set(key, promise);
    let isDone = false;
    try {
      const made = await write();
      isDone = isWritten(made);
      return made;
    } finally {
      if (isDone) promise.until = this.#clock.monotonic() + SHOWN_WITHIN_MS;
      else if (this.#promised.get(key) === promise) this.#promised.delete(key);
    }
  }

  /** What the cache shows, and what was promised besides. */
  with(shown: readonly PersistentVolumeClaim[]): PersistentVolumeClaim[] {
    const all = new Map(shown.map((claim) => [objectKey(claim), claim]));
    for (const [key, { claim, until }] of this.#promised) {
      const present = all.get(key);
      const isShown = present !== undefined && requestedBytes(present) >= requestedBytes(claim);
      const isOver = until !== undefined && until < this.#clock.monotonic();
      if (isShown || isOver) this.#promised.delete(key);
      else all.set(key, claim);
    }
    return [...all.values()];
  }
}
