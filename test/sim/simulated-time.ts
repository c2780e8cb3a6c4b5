import { type Clock, toWaitMs } from '../../src/runtime/clock.ts';

interface Event {
  at: number;
  /** Of two at the same time the one that was planned first comes first. */
  order: number;
  isPlain: boolean;
  run(): void;
}

/**
 * Rounds of the event loop without any call to the simulation after which everything that was set off is done. Streams, HTTP/2
 * and promises need one or two from one step to the next; nothing here waits for threads or sockets.
 */
const QUIET_ROUNDS = 6;
/** A simulated day in 2026, so that dates look like dates. */
const EPOCH_MS = 1_780_000_000_000;

/** Time that stands still while anything happens, and jumps to the next event when nothing does. */
export class SimulatedTime {
  readonly #heap: Event[] = [];
  #now = 0;
  #planned = 0;
  #isTouched = true;

  get nowMs(): number {
    return this.#now;
  }

  readonly clock: Clock = {
    now: () => EPOCH_MS + this.#now,
    monotonic: () => this.#now,
    sleep: (ms, signal) => this.#sleep(ms, signal),
  };

  /**
   * Runs `run` after `ms`, rounded up to whole milliseconds: what happens within one is done together.
   * @param isPlain it sets nothing off that goes on by itself, so there is nothing to wait for
   */
  after(ms: number, run: () => void, isPlain = false): Event {
    this.#planned += 1;
    const event = { at: Math.ceil(this.#now + Math.max(0, ms)), order: this.#planned, isPlain, run };
    let at = this.#heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, this.#heap[parent] as Event)) break;
      this.#heap[at] = this.#heap[parent] as Event;
      at = parent;
    }
    this.#heap[at] = event;
    return event;
  }

  /** Lets `ms` pass, or less when `until` holds. @returns whether it did */
  async pass(ms: number, until?: () => boolean): Promise<boolean> {
    const end = this.#now + ms;
    this.#isTouched = true;
    for (;;) {
      if (this.#isTouched) await this.#settle();
      this.#isTouched = false;
      if (until?.() === true) return true;
      const next = this.#heap[0];
      if (next === undefined || next.at > end) break;
      this.#now = next.at;
      while (this.#heap[0]?.at === next.at) {
        const event = this.#pop();
        if (!event.isPlain) this.#isTouched = true;
        event.run();
      }
    }
    this.#now = end;
    return false;
  }

  #sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = (): void => {
        // The event stays until its time, which may be an hour: nothing may hang on it.
        event.run = nothing;
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      const event = this.after(toWaitMs(ms), () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_ROUNDS; ) {
      const before = this.#planned;
      await new Promise((resolve) => setImmediate(resolve));
      quiet = this.#planned === before ? quiet + 1 : 0;
    }
  }

  #pop(): Event {
    const [first] = this.#heap;
    const last = this.#heap.pop() as Event;
    const { length } = this.#heap;
    if (length === 0 || first === undefined) return last;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(this.#heap[child + 1] as Event, this.#heap[child] as Event)) child += 1;
      if (!isBefore(this.#heap[child] as Event, last)) break;
      this.#heap[at] = this.#heap[child] as Event;
      at = child;
    }
    this.#heap[at] = last;
    return first;
  }
}

const nothing = (): void => {};

const isBefore = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** A generator of numbers in [0, 1), the same for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
