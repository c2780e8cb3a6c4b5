import { expect, it } from 'vitest';
import { ByteBudget } from '../../src/peering/byte-budget.ts';

const budget = () => new ByteBudget({ perOwner: 100, inAll: 150, always: 10, waiting: 2 });
const never = (): AbortSignal => new AbortController().signal;

async function isWaiting(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([
    promise.then(() => false),
    new Promise<boolean>((resolve) => setImmediate(() => resolve(true))),
  ]);
}

it('gives bytes until one owner, or all together, hold too much, and the rest when there is room', async () => {
  const held = budget();
  const first = await held.take('a', 100, never());
  const second = held.take('a', 1, never());
  expect(await isWaiting(second)).toBe(true);
  await held.take('b', 50, never());
  const third = held.take('c', 20, never());
  expect(await isWaiting(third)).toBe(true);
  expect(held.inAll).toBe(150);
  first();
  first();
  await Promise.all([second, third]);
  expect(held.inAll).toBe(71);
});

it('lets everybody have a little, however much others hold', async () => {
  const held = budget();
  await held.take('a', 100, never());
  await held.take('b', 50, never());
  await held.take('c', 10, never());
  expect(await isWaiting(held.take('c', 1, never()))).toBe(true);
});

it('keeps the order of one owner, and no owner waits for another', async () => {
  const held = budget();
  const release = await held.take('a', 90, never());
  const large = held.take('a', 80, never());
  const small = held.take('a', 5, never());
  expect(await isWaiting(small)).toBe(true);
  expect(await isWaiting(held.take('b', 5, never()))).toBe(false);
  release();
  await Promise.all([large, small]);
});

it('refuses what can never be had, and who waits for too much', async () => {
  const held = budget();
  await expect(held.take('a', 101, never())).rejects.toMatchObject({ code: 'ResourceExhausted' });
  await held.take('a', 100, never());
  for (let i = 0; i < 2; i += 1) void held.take('a', 1, never());
  await expect(held.take('a', 1, never())).rejects.toMatchObject({ code: 'ResourceExhausted' });
});

it('forgets who does not wait any more', async () => {
  const held = budget();
  const release = await held.take('a', 100, never());
  const gone = new AbortController();
  const first = held.take('a', 100, gone.signal);
  const second = held.take('a', 50, never());
  gone.abort(new Error('gone'));
  await expect(first).rejects.toThrow('gone');
  release();
  await second;
  expect(held.inAll).toBe(50);
});
