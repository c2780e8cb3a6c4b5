import { describe, expect, test } from 'vitest';
import { MemberPace } from '../../../src/agent/shadow-pod/member-pace.ts';
import { jumpingClock } from '../../jumping-clock.ts';

describe('the pace of a member', () => {
  test('lets through who asks for many beside those who ask for one all the time, and all together stay within it', async () => {
    const clock = jumpingClock();
    const pace = new MemberPace(clock, { perSecond: 50, burst: 100 });
    const allowed = (count: number): boolean => {
      try {
        pace.take('b', count);
        return true;
      } catch {
        return false;
      }
    };
    let [written, large] = [0, 0];
    for (let second = 0; second < 60; second += 1) {
      for (let ask = 0; ask < 300; ask += 1) if (allowed(1)) written += 1;
      await clock.sleep(1_000);
      if (allowed(80)) [written, large] = [written + 80, large + 1];
    }
    expect(large).toBeGreaterThan(10);
    expect(written).toBeLessThan(100 + 60 * 50 + 80);
  });

  test('of one is nobody else’s', () => {
    const pace = new MemberPace(jumpingClock(), { perSecond: 0, burst: 1 });
    pace.take('b', 1);
    expect(() => pace.take('b', 1)).toThrow(/faster than/);
    pace.take('c', 1);
  });
});
