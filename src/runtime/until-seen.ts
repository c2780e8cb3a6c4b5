import type { Clock } from './clock.ts';

/** How long a cache may take to see what the API server took. */
const WITHIN_MS = 2_000;
const EVERY_MS = 20;

/** Resolves when a cache shows what was just written, or after 2 s: it may have been changed again meanwhile. */
export async function untilSeen(clock: Pick<Clock, 'monotonic' | 'sleep'>, isSeen: () => boolean): Promise<void> {
  const end = clock.monotonic() + WITHIN_MS;
  while (!isSeen() && clock.monotonic() < end) await clock.sleep(EVERY_MS);
}
