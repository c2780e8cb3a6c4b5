import { type Clock, toWaitMs } from '../src/runtime/clock.ts';

/**
 * Time that passes by sleeping alone.
 * @param startsAt the wall time at first, ms
 * @param onTick called after each sleep with how much has passed by then, ms
 */
export function jumpingClock(startsAt = 0, onTick: (passedMs: number) => void = () => {}): Clock {
  let passed = 0;
  return {
    now: () => startsAt + passed,
    monotonic: () => passed,
    sleep: async (ms, signal) => {
      signal?.throwIfAborted();
      passed += toWaitMs(ms);
      onTick(passed);
    },
  };
}
