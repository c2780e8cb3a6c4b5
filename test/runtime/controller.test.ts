import { describe, expect, test } from 'vitest';
import type { Controller, ReconcileResult } from '../../src/runtime/controller.ts';
import { createController } from '../../src/runtime/controller.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { Pace } from '../../src/runtime/pace.ts';
import { jumpingClock } from '../jumping-clock.ts';
import { SimulatedTime } from '../sim/simulated-time.ts';

/** How often a key has its turn within `ms` of simulated time. */
async function turnsWithin(
  ms: number,
  reconcile: (turn: number, controller: Controller) => ReconcileResult | Promise<ReconcileResult>,
): Promise<number> {
  const time = new SimulatedTime();
  let turns = 0;
  const controller: Controller = createController({
    name: 'test',
    reconcile: async () => {
      turns += 1;
      return reconcile(turns, controller);
    },
    clock: time.clock,
    logger: silentLogger,
    random: () => 0.5,
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  controller.enqueue('key');
  await time.pass(ms);
  stop.abort();
  await running;
  return turns;
}

describe('a controller does not turn in a circle', () => {
  test.each([0, -1_000, 1, Number.MIN_VALUE])(
    'when a reconcile asks again and again to come back after %s ms',
    async (requeueAfterMs) => {
      const turns = await turnsWithin(600_000, () => ({ requeueAfterMs }));
      expect(turns).toBeGreaterThan(10);
      expect(turns).toBeLessThan(50);
    },
  );

  test('when what it does wakes it again', async () => {
    const turns = await turnsWithin(60_000, (_turn, controller) => {
      controller.enqueue('key');
      return undefined;
    });
    expect(turns).toBeLessThan(800);
  });

  test('and forgets no key whose timer ended a moment too soon, as timers do', async () => {
    const time = new SimulatedTime();
    const clock = { ...time.clock, monotonic: () => time.nowMs * 0.99 };
    let [wanted, seen] = [0, 0];
    const reconcile = async () => {
      seen = wanted;
      return undefined;
    };
    const controller = createController({ name: 'test', reconcile, clock, logger: silentLogger });
    const stop = new AbortController();
    const running = controller.run(stop.signal);
    for (let change = 0; change < 300; change += 1) {
      wanted += 1;
      controller.enqueue('key');
      await time.pass(1);
    }
    await time.pass(60_000);
    expect(seen).toBe(wanted);
    stop.abort();
    await running;
  });

  test('when it asks for a wait that is no number, which is told as a failure', async () => {
    expect(await turnsWithin(600_000, () => ({ requeueAfterMs: Number.NaN }))).toBeLessThan(30);
  });
});

describe('a wait that a reconcile asks for', () => {
  test('may be longer than any timer', async () => {
    expect(await turnsWithin(2_592_000_000 - 1, () => ({ requeueAfterMs: 2_592_000_000 }))).toBe(1);
    expect(await turnsWithin(2_592_000_000, () => ({ requeueAfterMs: 2_592_000_000 }))).toBe(2);
  });

  test('without an end is none, and an event still comes through', async () => {
    const turns = await turnsWithin(60_000, (turn, controller) => {
      if (turn === 1) controller.enqueue('key');
      return { requeueAfterMs: Number.POSITIVE_INFINITY };
    });
    expect(turns).toBe(2);
  });

  test('of nothing is none a few times, as for a second look', async () => {
    const clock = jumpingClock();
    const seen: number[] = [];
    const controller = createController({
      name: 'test',
      reconcile: async () => {
        seen.push(clock.monotonic());
        if (seen.length === 5) stop.abort();
        return { requeueAfterMs: 0 };
      },
      clock,
      logger: silentLogger,
    });
    const stop = new AbortController();
    controller.enqueue('key');
    await controller.run(stop.signal);
    expect(seen).toEqual([0, 0, 0, 0, 0]);
  });
});

describe('the pace of a key', () => {
  test('lets bursts through, is even afterwards, and is that of this key alone', () => {
    const pace = new Pace();
    for (let turn = 0; turn < 100; turn += 1) pace.take('busy', 1_000);
    expect(pace.waitMs('busy', 1_000)).toBe(0);
    pace.take('busy', 1_000);
    expect(pace.waitMs('busy', 1_000)).toBe(100);
    expect(pace.waitMs('other', 1_000)).toBe(0);
    expect(pace.waitMs('busy', 1_100)).toBe(0);
  });
});

describe('a controller whose reconciles fail', () => {
  /** Its counts after the given number of failures of `key`, and a time in which it may have succeeded. */
  async function statsAfter(failures: number, ms: number) {
    const time = new SimulatedTime();
    let left = failures;
    const controller = createController({
      name: 'test',
      reconcile: async () => {
        left -= 1;
        if (left >= 0) throw new Error('the API server is away');
      },
      clock: time.clock,
      logger: silentLogger,
      random: () => 0.5,
    });
    const stop = new AbortController();
    const running = controller.run(stop.signal);
    controller.enqueue('key');
    await time.pass(ms);
    stop.abort();
    await running;
    return controller.stats();
  }

  test('is stuck while a key fails again and again, and says with what', async () => {
    expect(await statsAfter(1_000, 20_000)).toMatchObject({
      stuck: { keys: 1, error: 'key: the API server is away' },
    });
  });

  test('is not when it was made good, nor after a failure or two', async () => {
    const { errors, lastError, stuck } = await statsAfter(9, 600_000);
    expect([errors, lastError, stuck]).toEqual([9, 'key: the API server is away', undefined]);
    expect(await statsAfter(1_000, 500)).toMatchObject({ stuck: undefined });
  });
});
