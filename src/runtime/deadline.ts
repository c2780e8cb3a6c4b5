import { CodedError } from '../core/coded-error.ts';
import type { Clock } from './clock.ts';

/** Runs `work` with a signal that also aborts (Unavailable, "no answer in time") when `ms` have passed before it is done. */
export async function withDeadline<T>(
  clock: Clock,
  { ms, signal }: { ms: number; signal?: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController();
  const done = new AbortController();
  clock.sleep(ms, done.signal).then(
    () => late.abort(new CodedError('Unavailable', 'no answer in time')),
    () => {},
  );
  try {
    return await work(signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]));
  } finally {
    done.abort();
  }
}
