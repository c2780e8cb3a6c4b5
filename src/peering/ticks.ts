import type { Clock } from '../runtime/clock.ts';
import type { PeerWay } from './peer-way.ts';

/** How often the silence of peers is looked at. */
const TICK_MS = 200;
/** A tick later than this means that this process, or its machine, stood still: that silence is nobody else's fault. */
const LATE_TICK_MS = 2 * TICK_MS;

/** Lets time pass for all ways there are, until `signal` aborts. */
export async function tick(ways: () => Iterable<PeerWay>, clock: Clock, signal: AbortSignal): Promise<void> {
  let last = clock.monotonic();
  while (!signal.aborted) {
    await clock.sleep(TICK_MS, signal).catch(() => {});
    const now = clock.monotonic();
    const forgiveMs = now - last > LATE_TICK_MS ? now - last - TICK_MS : 0;
    last = now;
    for (const way of ways()) way.tick(now, forgiveMs);
  }
}
