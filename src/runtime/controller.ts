import { type BackoffPolicy, backoffDelayMs, RECONCILE_BACKOFF } from './backoff.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import { Pace } from './pace.ts';

/** What a reconcile says at its end: nothing more to do, or come back after a time. A thrown error is retried with backoff. */
export type ReconcileResult = { requeueAfterMs: number } | undefined;

export interface ControllerOptions {
  name: string;
  /** Makes the world right for `key`. Level-based; never called concurrently for one key. */
  reconcile(key: string, signal: AbortSignal): Promise<ReconcileResult | void>;
  clock: Clock;
  logger: Logger;
  /** How many keys at once (default 4). */
  concurrency?: number;
  backoff?: BackoffPolicy;
  random?: () => number;
}

export interface ControllerStats {
  name: string;
  queued: number;
  inFlight: number;
  reconciles: number;
  errors: number;
  lastError: string | undefined;
  /** Keys that failed several times in a row, and not once without since; what failed and was made good is no news. */
  stuck: { keys: number; error: string } | undefined;
}

/** So many failures in a row take about six seconds. */
const STUCK_AFTER = 6;

/**
 * A keyed, deduplicating work loop: the grammar of controller-runtime, small. No key has turns without a pause (Pace), whatever its
 * reconciles answer and whatever wakes it. A wait that is no number is a failure, an endless one is none.
 */
export interface Controller {
  enqueue(key: string): void;
  enqueueAfter(key: string, ms: number): void;
  /** Works until `signal` aborts; resolves when nothing is in flight any more. */
  run(signal: AbortSignal): Promise<void>;
  stats(): ControllerStats;
}

/** @see ControllerOptions */
export function createController(options: ControllerOptions): Controller {
  return new KeyedController(options);
}

class KeyedController implements Controller {
  readonly #options: Required<Omit<ControllerOptions, 'reconcile'>> & Pick<ControllerOptions, 'reconcile'>;
  readonly #ready = new Set<string>();
  readonly #running = new Set<string>();
  /** Keys that changed while they were being worked on. */
  readonly #dirty = new Set<string>();
  readonly #delayed = new Map<string, { at: number; cancel: AbortController }>();
  readonly #failures = new Map<string, { inRow: number; error: string }>();
  readonly #pace = new Pace();
  #wake: () => void = () => {};
  #reconciles = 0;
  #errors = 0;
  #lastError: string | undefined;

  constructor(options: ControllerOptions) {
    this.#options = { concurrency: 4, backoff: RECONCILE_BACKOFF, random: Math.random, ...options };
  }

  enqueue(key: string): void {
    const waitMs = this.#pace.waitMs(key, this.#options.clock.monotonic());
    if (waitMs > 0 && !this.#running.has(key)) {
      this.enqueueAfter(key, waitMs);
      return;
    }
    this.#cancelDelay(key);
    if (this.#running.has(key)) this.#dirty.add(key);
    else this.#ready.add(key);
    this.#wake();
  }

  enqueueAfter(key: string, ms: number): void {
    if (ms === Number.POSITIVE_INFINITY) return;
    const at = this.#options.clock.monotonic() + ms;
    const waiting = this.#delayed.get(key);
    if (this.#ready.has(key) || (waiting !== undefined && waiting.at <= at)) return;
    this.#cancelDelay(key);
    const cancel = new AbortController();
    this.#delayed.set(key, { at, cancel });
    this.#options.clock.sleep(ms, cancel.signal).then(
      () => {
        // A timer may end a moment too soon for its key's pace: it is over all the same, and not one that is still to come.
        if (this.#delayed.get(key)?.cancel === cancel) this.#delayed.delete(key);
        this.enqueue(key);
      },
      () => {},
    );
  }

  async run(signal: AbortSignal): Promise<void> {
    const workers = new Set<Promise<void>>();
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      while (this.#ready.size > 0 && workers.size < this.#options.concurrency) {
        const [key] = this.#ready;
        if (key === undefined) break;
        this.#ready.delete(key);
        this.#running.add(key);
        this.#pace.take(key, this.#options.clock.monotonic());
        const work = this.#work(key, signal).finally(() => {
          workers.delete(work);
          this.#wake();
        });
        workers.add(work);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        const canWork = this.#ready.size > 0 && workers.size < this.#options.concurrency;
        if (signal.aborted || canWork) resolve();
      });
    }
    for (const key of [...this.#delayed.keys()]) this.#cancelDelay(key);
    await Promise.all(workers);
  }

  stats(): ControllerStats {
    return {
      name: this.#options.name,
      queued: this.#ready.size + this.#dirty.size,
      inFlight: this.#running.size,
      reconciles: this.#reconciles,
      errors: this.#errors,
      lastError: this.#lastError,
      stuck: this.#stuck(),
    };
  }

  #stuck(): ControllerStats['stuck'] {
    const stuck = [...this.#failures.values()].filter(({ inRow }) => inRow >= STUCK_AFTER);
    const last = stuck.at(-1);
    return last === undefined ? undefined : { keys: stuck.length, error: last.error };
  }

  async #work(key: string, signal: AbortSignal): Promise<void> {
    let again: number | undefined;
    try {
      const result = await this.#options.reconcile(key, signal);
      if (Number.isNaN(result?.requeueAfterMs)) throw new Error('a reconcile asked for a wait that is no number');
      this.#failures.delete(key);
      again = this.#pace.returnMs(key, result?.requeueAfterMs);
    } catch (error) {
      again = this.#afterFailure(key, error, signal);
    }
    this.#reconciles += 1;
    this.#running.delete(key);
    if (this.#dirty.delete(key)) this.enqueue(key);
    else if (again !== undefined && !signal.aborted) this.enqueueAfter(key, again);
  }

  #afterFailure(key: string, error: unknown, signal: AbortSignal): number | undefined {
    if (signal.aborted) return undefined;
    const failures = (this.#failures.get(key)?.inRow ?? 0) + 1;
    const message = `${key}: ${error instanceof Error ? error.message : String(error)}`;
    this.#failures.set(key, { inRow: failures, error: message });
    this.#errors += 1;
    this.#lastError = message;
    const delay = backoffDelayMs(this.#options.backoff, failures, this.#options.random());
    this.#options.logger.warn(
      { controller: this.#options.name, key, failures, retryInMs: delay, err: error },
      'reconcile failed',
    );
    return delay;
  }

  #cancelDelay(key: string): void {
    this.#delayed.get(key)?.cancel.abort();
    this.#delayed.delete(key);
  }
}
