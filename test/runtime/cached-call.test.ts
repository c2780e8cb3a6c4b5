import { expect, test } from 'vitest';
import { createCachedCall } from '../../src/runtime/cached-call.ts';
import { systemClock } from '../../src/runtime/clock.ts';

test('asks once for all who ask at a time, keeps the answer for a while, and keeps no failure', async () => {
  let now = 0;
  let calls = 0;
  const clock = { ...systemClock, monotonic: () => now };
  const ask = createCachedCall(
    async (key) => {
      calls += 1;
      if (key === 'bad') throw new Error('no');
      return `${key} ${calls}`;
    },
    { ttlMs: 100, clock },
  );
  expect(await Promise.all([ask('a'), ask('a')])).toEqual(['a 1', 'a 1']);
  now = 99;
  expect(await ask('a')).toBe('a 1');
  now = 250;
  expect(await ask('a')).toBe('a 2');
  await expect(ask('bad')).rejects.toThrow('no');
  await expect(ask('bad')).rejects.toThrow('no');
  expect(calls).toBe(4);
});
