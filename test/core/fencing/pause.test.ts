import { describe, expect, test } from 'vitest';
import { AFTER_PAUSE_MS, leaseEndsAtAfter, PauseWatch } from '../../../src/core/fencing/pause.ts';

/** Two clocks that a test moves, and what is noticed. */
function machine() {
  const at = { wall: 1_700_000_000_000, boot: 50_000 };
  const watch = new PauseWatch({ now: () => at.wall, uptime: () => at.boot });
  const pass = (wall: number, boot = wall) => {
    at.wall += wall;
    at.boot += boot;
    return watch.look();
  };
  return { at, pass };
}

describe('a pause of the machine', () => {
  test('is noticed by the wall clock, which is put right, and the clock of leases, which stood still', () => {
    const { at, pass } = machine();
    expect(pass(250)).toBeUndefined();
    expect(pass(120_250, 250)).toEqual({ noticedAt: at.boot, byMs: 120_000 });
  });

  test('is none when the machine slept, on which both go on, when the wall clock is set back, or put right a little', () => {
    const { pass } = machine();
    expect(pass(3_600_000)).toBeUndefined();
    expect(pass(-3_600_000, 250)).toBeUndefined();
    for (let look = 0; look < 1_000; look += 1) expect(pass(254, 250)).toBeUndefined();
  });

  test('adds up with the one before it', () => {
    const { pass } = machine();
    pass(10_000, 0);
    pass(1_000);
    expect(pass(10_000, 0)?.byMs).toBe(20_000);
  });
});

describe('a lease after a pause', () => {
  const pause = { noticedAt: 100_000, byMs: 40_000 };

  test.each([
    ['that was renewed since then is as it was', 100_000, 30_000, 130_000],
    ['ends so much sooner', 99_000, 60_000, 119_000],
    ['leaves the time for one question', 99_000, 30_000, 100_000 + AFTER_PAUSE_MS],
    ['is not made longer', 71_000, 30_000, 101_000],
    ['that was over stays so', 50_000, 30_000, 80_000],
  ])('%s', (_what, askedAt, afterMs, endsAt) => {
    expect(leaseEndsAtAfter(askedAt, afterMs, pause)).toBe(endsAt);
    expect(leaseEndsAtAfter(askedAt, afterMs, undefined)).toBe(askedAt + afterMs);
  });
});
