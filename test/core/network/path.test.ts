import { describe, expect, it } from 'vitest';
import { NEW_PATH, nextPath, type PathState, PROBE_INTERVAL_MS } from '../../../src/core/network/path.ts';

function after(state: PathState, verdicts: boolean[], from = 0): PathState {
  return verdicts.reduce(
    (current, answered, index) => nextPath(current, answered, from + index * PROBE_INTERVAL_MS),
    state,
  );
}

const times = (count: number, answered: boolean): boolean[] => Array.from({ length: count }, () => answered);

/** How many probes it takes until the path changes. */
function probesUntilChange(state: PathState, answered: boolean, now: number): number {
  let current = state;
  for (let count = 1; count < 100; count += 1) {
    current = nextPath(current, answered, now + count * PROBE_INTERVAL_MS);
    if (current.path !== state.path) return count;
  }
  throw new Error('the path never changed');
}

describe('the way of packets', () => {
  it('is UDP with the first answer, and TLS after three probes without one', () => {
    expect(after(NEW_PATH, [true]).path).toBe('UDP');
    expect(after(NEW_PATH, [false, false]).path).toBeUndefined();
    expect(after(NEW_PATH, times(3, false)).path).toBe('TLS');
  });

  it('stays UDP when single probes are lost', () => {
    const lossy = Array.from({ length: 60 }, (_, index) => index % 3 === 0);
    expect(after(NEW_PATH, lossy).path).toBe('UDP');
  });

  it('leaves a blocked UDP within 10 s', () => {
    const probes = probesUntilChange(after(NEW_PATH, times(5, true)), false, 0);
    // The first of them may be sent up to one interval after the block, and each is judged one interval later.
    expect((probes + 1) * PROBE_INTERVAL_MS).toBeLessThan(10_000);
  });

  it('returns to UDP within 30 s, also after many losses', () => {
    let state = after(NEW_PATH, [true]);
    for (let round = 0; round < 20; round += 1) {
      state = after(state, times(3, false), round * 30_000);
      expect(state.path).toBe('TLS');
      const probes = probesUntilChange(state, true, round * 30_000);
      expect((probes + 1) * PROBE_INTERVAL_MS).toBeLessThan(30_000);
      state = after(state, times(probes, true), round * 30_000 + 6_000);
      expect(state.path).toBe('UDP');
    }
  });

  it('trusts a way less that was lost again and again, and forgives with time', () => {
    const lost = (at: number[]): PathState => ({ path: 'TLS', against: 0, lossesAt: at });
    expect(probesUntilChange(lost([0]), true, 0)).toBe(3);
    expect(probesUntilChange(lost([0, 1, 2]), true, 0)).toBe(7);
    expect(probesUntilChange(lost([0, 1, 2]), true, 3_600_000)).toBe(3);
  });
});
