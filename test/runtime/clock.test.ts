import { afterEach, describe, expect, test, vi } from 'vitest';
import { MAX_TIMER_MS, systemClock, toWaitMs } from '../../src/runtime/clock.ts';
import { jumpingClock } from '../jumping-clock.ts';
import { SimulatedTime } from '../sim/simulated-time.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** Whether a sleep of `ms` is over after each of some times. */
async function overAfter(ms: number, ...passing: number[]): Promise<boolean[]> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let isOver = false;
  void systemClock.sleep(ms).then(() => {
    isOver = true;
  });
  const seen: boolean[] = [];
  for (const passed of passing) {
    await vi.advanceTimersByTimeAsync(passed);
    seen.push(isOver);
  }
  return seen;
}

describe('a wait of the clock', () => {
  test('that is longer than a timer can be is as long as it was meant', async () => {
    expect(await overAfter(2_592_000_000, 1_000, 2_591_998_999, 1)).toEqual([false, false, true]);
    expect(await overAfter(3 * MAX_TIMER_MS + 5, 3 * MAX_TIMER_MS, 4, 1)).toEqual([false, false, true]);
  });

  test('without an end does not end by itself', async () => {
    expect(await overAfter(Number.POSITIVE_INFINITY, 10 * MAX_TIMER_MS)).toEqual([false]);
  });

  test('that is no number is a second, and a negative one none', async () => {
    expect(await overAfter(Number.NaN, 999, 1)).toEqual([false, true]);
    expect(await overAfter(-5, 1)).toEqual([true]);
  });

  test('can be given up at any time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const stop = new AbortController();
    const sleeping = systemClock.sleep(3 * MAX_TIMER_MS, stop.signal);
    const rejected = expect(sleeping).rejects.toThrow('enough');
    await vi.advanceTimersByTimeAsync(MAX_TIMER_MS + 1);
    stop.abort(new Error('enough'));
    await rejected;
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([0, 1, -1, Number.NaN, 2 ** 31, 2 ** 40])(
    'of %s ms passes in tests as it does outside of them',
    async (ms) => {
      const jumping = jumpingClock();
      await jumping.sleep(ms);
      expect(jumping.monotonic()).toBe(toWaitMs(ms));
      const time = new SimulatedTime();
      let endedAt: number | undefined;
      void time.clock.sleep(ms).then(() => {
        endedAt = time.nowMs;
      });
      await time.pass(2 ** 41, () => endedAt !== undefined);
      expect(endedAt).toBe(toWaitMs(ms));
    },
  );
});
