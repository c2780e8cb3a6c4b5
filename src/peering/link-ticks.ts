import type { Clock } from '../runtime/clock.ts';
import type { MemberLink } from './member-link.ts';

/** How often the silence of peers is looked at. */
const TICK_MS = 200;
/** A tick later than this means that this process, or its machine, stood still: that silence is nobody else's fault. */
const LATE_TICK_MS = 2 * TICK_MS;

/** Lets time pass for all links there are, until `signal` aborts. */
export async function tickLinks(links: () => MemberLink[], clock: Clock, signal: AbortSignal): Promise<void> {
  let last = clock.monotonic();
  while (!signal.aborted) {
    await clock.sleep(TICK_MS, signal).catch(() => {});
    const now = clock.monotonic();
    const forgiveMs = now - last > LATE_TICK_MS ? now - last - TICK_MS : 0;
    last = now;
    for (const link of links()) link.tick(now, forgiveMs);
  }
}
