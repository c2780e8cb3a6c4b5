import { expect, test } from 'vitest';
import { inBatches } from '../../src/runtime/batches.ts';

test('all items are worked on, so many at once, also when one fails; then that is thrown', async () => {
  let now = 0;
  let most = 0;
  const done: number[] = [];
  const work = async (item: number): Promise<void> => {
    now += 1;
    most = Math.max(most, now);
    await Promise.resolve();
    now -= 1;
    if (item === 2) throw new Error('the second');
    done.push(item);
  };
  await expect(inBatches([1, 2, 3, 4, 5], work, 2)).rejects.toThrow('the second');
  expect([done, most]).toEqual([[1, 3, 4, 5], 2]);
});
