import { describe, expect, test } from 'vitest';
import { PodHistory } from '../../scripts/bench/soak-history.ts';
import { planFaults } from '../../scripts/bench/soak-plan.ts';
import { parseFault } from '../../src/lab/faults/fault.ts';
import { type Interval, longestOverlap } from '../e2e/run-log.ts';

describe('the faults of a soak run', () => {
  test('are the same for the same seed, others for another one, and all over at its end', () => {
    const faults = planFaults(7, 600);
    expect(planFaults(7, 600)).toEqual(faults);
    expect(planFaults(8, 600)).not.toEqual(faults);
    expect(faults.length).toBeGreaterThan(15);
    expect(Math.max(...faults.map(({ atS, forS }) => atS + forS))).toBeLessThanOrEqual(600.05);
  });

  test('are ones that the lab knows', () => {
    for (const { words } of planFaults(1, 3_600)) expect(() => parseFault(words.split(' '), false)).not.toThrow();
  });
});

describe('what must not be', () => {
  const pod = (uid: string, phase: 'Running' | 'Succeeded', labels = {}) => ({
    metadata: { name: 'p', uid, labels },
    spec: { containers: [] },
    status: { phase },
  });

  test('is a pod that runs again after its end, and one that is made twice', () => {
    const history = new PodHistory();
    history.home(pod('u1', 'Running'));
    history.home(pod('u1', 'Succeeded'));
    history.twin('b', pod('t1', 'Running', { 'headcut.dev/origin-uid': 'u1' }));
    history.twin('b', pod('t1', 'Succeeded', { 'headcut.dev/origin-uid': 'u1' }));
    expect(history.violations).toEqual([]);
    history.home(pod('u1', 'Running'));
    history.twin('c', pod('t2', 'Running', { 'headcut.dev/origin-uid': 'u1' }));
    expect(history.violations).toHaveLength(2);
  });

  test('is two containers at once', () => {
    const ran = (container: string, from: number, to: number): Interval => ({ container, from, to });
    expect(longestOverlap([ran('x', 0, 5), ran('y', 6, 9), ran('x', 10, 11)]).seconds).toBe(0);
    expect(longestOverlap([ran('x', 0, 5), ran('y', 4, 9)]).seconds).toBe(1);
    expect(longestOverlap([ran('x', 0, 20), ran('x', 5, 6), ran('y', 8, 9)]).seconds).toBe(1);
  });
});
