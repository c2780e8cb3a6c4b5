import { CodedError } from '../core/coded-error.ts';
import { unlessAborted } from './aborted.ts';
import type { Clock } from './clock.ts';

/**
 * Runs `work` with a signal that also aborts (Unavailable, "no answer in time") when `ms` have passed before it is done.
 * Ends with that signal, also when `work` does not heed it: what it gives later is lost.
 */
export async function withDeadline<T>(
  clock: Clock,
  { ms, signal }: { ms: number; signal?: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const late = lateSignal(clock, ms, done.signal);
  const within = signal === undefined ? late : AbortSignal.any([signal, late]);
  try {
    return await unlessAborted(within, work(within));
  } finally {
    done.abort();
  }
}

/** Aborts (Unavailable, "no answer in time") when `ms` have passed before `done` aborts. */
export function lateSignal(clock: Clock, ms: number, done: AbortSignal): AbortSignal {
  const late = new AbortController();
  clock.sleep(ms, done).then(
    () => late.abort(new CodedError('Unavailable', 'no answer in time')),
    () => {},
  );
  return late.signal;
}
