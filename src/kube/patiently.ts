import type { TimeLimit } from '../runtime/clock.ts';
import { isTransient } from './api-error.ts';

const POLL_MS = 500;

/**
 * Does it again for as long as the API server is out of reach. On a single node it is so for moments, while agents end and start there or
 * the node itself starts.
 * @param work may be done again
 * @param onWait told why, the first time that it has to wait
 */
export async function patiently<T>(
  work: () => Promise<T>,
  { clock, untilMs, signal }: TimeLimit & { signal?: AbortSignal },
  onWait: (error: unknown) => void = () => {},
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || clock.monotonic() >= untilMs) throw error;
      if (tries === 1) onWait(error);
    }
    await clock.sleep(POLL_MS, signal);
  }
}
