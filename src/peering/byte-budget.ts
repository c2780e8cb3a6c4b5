import { CodedError } from '../core/coded-error.ts';

export interface ByteBudgetLimits {
  /** What one owner may hold. */
  perOwner: number;
  /** What all may hold together. */
  inAll: number;
  /** What an owner may hold also when all together hold too much: others cannot keep it out. */
  always: number;
  /** So many requests of one owner wait; more are refused. */
  waiting: number;
}

interface Waiting {
  owner: string;
  bytes: number;
  grant(): void;
}

/**
 * Memory that members may make this agent hold, counted in bytes before any of them is read. What does not fit waits its turn; one
 * owner's requests hold up nobody else's.
 */
export class ByteBudget {
  readonly #limits: ByteBudgetLimits;
  readonly #held = new Map<string, number>();
  #inAll = 0;
  #queue: Waiting[] = [];

  constructor(limits: ByteBudgetLimits) {
    this.#limits = limits;
  }

  /** Bytes that are held now. */
  get inAll(): number {
    return this.#inAll;
  }

  /**
   * Resolves, when there is room, with what gives the bytes back.
   * Throws ResourceExhausted where too many wait already or they are more than one owner may have, and the reason of `signal`.
   */
  async take(owner: string, bytes: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (bytes > this.#limits.perOwner) throw new CodedError('ResourceExhausted', 'the request is too large');
    const isFirst = !this.#queue.some((one) => one.owner === owner);
    if (!isFirst || !this.#fits(owner, bytes)) await this.#wait(owner, bytes, signal);
    else this.#hold(owner, bytes);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#hold(owner, -bytes);
      this.#grantNext();
    };
  }

  #fits(owner: string, bytes: number): boolean {
    const { perOwner, inAll, always } = this.#limits;
    const own = (this.#held.get(owner) ?? 0) + bytes;
    return own <= perOwner && (own <= always || this.#inAll + bytes <= inAll);
  }

  #hold(owner: string, bytes: number): void {
    const own = (this.#held.get(owner) ?? 0) + bytes;
    if (own === 0) this.#held.delete(owner);
    else this.#held.set(owner, own);
    this.#inAll += bytes;
  }

  #wait(owner: string, bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#queue.filter((one) => one.owner === owner).length >= this.#limits.waiting)
      throw new CodedError('ResourceExhausted', 'too many large requests at once; try again in a moment');
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        owner,
        bytes,
        grant: () => {
          signal.removeEventListener('abort', onAbort);
          this.#hold(owner, bytes);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#queue = this.#queue.filter((one) => one !== waiting);
        reject(signal.reason);
        this.#grantNext();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(waiting);
    });
  }

  /** In the order in which they came; an owner for whose next one there is no room keeps its own waiting, and nobody else's. */
  #grantNext(): void {
    const blocked = new Set<string>();
    for (const waiting of [...this.#queue]) {
      if (blocked.has(waiting.owner)) continue;
      if (!this.#fits(waiting.owner, waiting.bytes)) {
        blocked.add(waiting.owner);
        continue;
      }
      this.#queue = this.#queue.filter((one) => one !== waiting);
      waiting.grant();
    }
  }
}
