/** Time as a parameter, so that tests own it. */
export interface Clock {
  /** Wall time in milliseconds since 1970; may jump. */
  now(): number;
  /** Milliseconds of a clock that only moves forward; for durations. */
  monotonic(): number;
  /**
   * Resolves after `ms`, which may be any number (toWaitMs), `Infinity` too; rejects with the signal's reason when aborted.
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** When to give up, by the clock's monotonic time. */
export interface TimeLimit {
  clock: Clock;
  untilMs: number;
}

/** The longest wait of one timer of Node, 24.8 days: setTimeout takes what is longer for 1 ms. */
export const MAX_TIMER_MS = 2 ** 31 - 1;
/** A wait that is no number would be none, in loops that were never meant to turn without a pause. */
const WAIT_WITHOUT_NUMBER_MS = 1_000;

/** What a clock waits when it is asked for `ms`: nothing for negative numbers, a second for what is none. */
export function toWaitMs(ms: number): number {
  return Number.isNaN(ms) ? WAIT_WITHOUT_NUMBER_MS : Math.max(0, ms);
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      let timer: NodeJS.Timeout;
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const wait = (leftMs: number): void => {
        const stepMs = Math.min(leftMs, MAX_TIMER_MS);
        timer = setTimeout(() => {
          if (leftMs > stepMs) return wait(leftMs - stepMs);
          signal?.removeEventListener('abort', onAbort);
          resolve();
        }, stepMs);
      };
      wait(toWaitMs(ms));
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};

/** RFC 3339 with whole seconds, as metav1.Time is written. */
export function toKubeTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** RFC 3339 with microseconds, as metav1.MicroTime is written (Lease.renewTime). */
export function toKubeMicroTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}
