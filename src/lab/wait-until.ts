import { CodedError, messageOf } from '../core/coded-error.ts';
import type { Clock } from '../runtime/clock.ts';

export interface WaitOptions {
  clock: Clock;
  /** What we wait for, for the error message. */
  what: string;
  timeoutMs: number;
  intervalMs?: number;
  signal?: AbortSignal | undefined;
  /** Called before each try; throw here to give up early. */
  giveUp?: () => void | Promise<void>;
}

/** Tries until `condition` gives true; what it throws is taken for "not yet" and told if the time runs out. */
export async function waitUntil(condition: () => Promise<boolean>, options: WaitOptions): Promise<void> {
  const { clock, what, timeoutMs, intervalMs = 250, signal } = options;
  const deadline = clock.monotonic() + timeoutMs;
  let last: unknown;
  for (;;) {
    await options.giveUp?.();
    try {
      if (await condition()) return;
    } catch (error) {
      last = error;
    }
    if (clock.monotonic() > deadline) {
      const why = last === undefined ? '' : ` (${messageOf(last)})`;
      throw new CodedError('Unavailable', `${what}: not within ${timeoutMs / 1000} s${why}`);
    }
    await clock.sleep(intervalMs, signal);
  }
}
