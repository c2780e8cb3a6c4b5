import { expect, test } from 'vitest';
import { WritePace } from '../../../src/agent/offloading/write-pace.ts';

/** How many of the tries of `seconds`, a hundred a second, write. */
function writes(seconds: number, wait: (now: number) => number): number {
  return Array.from({ length: seconds * 100 }).filter((_, index) => wait(index * 10) === 0).length;
}

test('a pod is written at once when it starts, and once a second however often its provider changes what it says', () => {
  const pace = new WritePace();
  expect(Array.from({ length: 6 }).map(() => pace.waitForWrite('u1', 'b', 0))).toEqual([0, 0, 0, 0, 0, 0]);
  const written = writes(60, (now) => pace.waitForWrite('u1', 'b', now));
  expect(written).toBeGreaterThan(57);
  expect(written).toBeLessThanOrEqual(60);
  expect(pace.waitForWrite('u2', 'b', 60_000)).toBe(0);
});

test('all pods of one peer together are written as often as those of a kubelet, and those of others go on', () => {
  const pace = new WritePace();
  let uid = 0;
  const written = writes(10, (now) => {
    uid += 1;
    return pace.waitForWrite(`u${uid}`, 'b', now);
  });
  expect(written).toBeLessThanOrEqual(700);
  expect(pace.waitForWrite('other', 'c', 10_000)).toBe(0);
});

test('events about one pod are as many as those of a kubelet', () => {
  const pace = new WritePace();
  const recorded = writes(600, (now) => (pace.mayRecord('u1', now) ? 0 : 1));
  expect(recorded).toBeLessThanOrEqual(27);
  expect(pace.mayRecord('u2', 0)).toBe(true);
});

test('pods that nobody here knows are looked up a few at a time', () => {
  const pace = new WritePace();
  expect(writes(60, (now) => pace.waitForStranger('b', now))).toBeLessThanOrEqual(700);
});
