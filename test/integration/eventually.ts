import { systemClock } from '../../src/runtime/clock.ts';

const LOOK_EVERY_MS = 50;

/** Tries again until the expectations hold; fails with the last failure. */
export async function eventually<T>(check: () => Promise<T> | T, withinMs = 10_000): Promise<T> {
  const end = systemClock.monotonic() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (systemClock.monotonic() > end) throw error;
      await systemClock.sleep(LOOK_EVERY_MS);
    }
  }
}
