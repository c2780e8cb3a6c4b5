import { expect, it } from 'vitest';
import { type Bucket, takeToken } from '../../src/core/rate-limit.ts';

const LIMIT = { perSecond: 10, burst: 3 };

it('lets a burst through and then the average rate', () => {
  let bucket: Bucket | undefined;
  const take = (now: number): boolean => {
    const after = takeToken(LIMIT, bucket, now);
    bucket = after ?? bucket;
    return after !== undefined;
  };
  expect([take(0), take(0), take(0), take(0)]).toEqual([true, true, true, false]);
  expect([take(100), take(100)]).toEqual([true, false]);
  expect([take(10_000), take(10_000), take(10_000), take(10_000)]).toEqual([true, true, true, false]);
});
