import { beforeEach, describe, expect, test } from 'vitest';
import { Rights } from '../../src/console/rights.ts';
import type { Clock } from '../../src/runtime/clock.ts';

describe('what is kept of what the user may do', () => {
  let now = 0;
  let asked = 0;
  let answer = (): Promise<unknown> => Promise.resolve({ status: { allowed: true } });
  let rights: Rights;
  const clock: Clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() };
  const request = (): Promise<unknown> => {
    asked += 1;
    return answer();
  };
  beforeEach(() => {
    now = 0;
    asked = 0;
    answer = () => Promise.resolve({ status: { allowed: true } });
    rights = new Rights({ request } as ConstructorParameters<typeof Rights>[0], clock);
  });
  const may = (namespace: string): Promise<boolean> =>
    rights.may({ verb: 'list', group: '', resource: 'pods', namespace });

  test('an answer holds for a minute, and is not kept after that, though nobody asks the same again', async () => {
    for (let at = 0; at < 50; at += 1) await may(`gone-${at}`);
    now = 59_000;
    await may('gone-0');
    expect([asked, rights.known]).toEqual([50, 50]);
    now = 60_000;
    await may('shop');
    expect([asked, rights.known]).toEqual([51, 1]);
  });

  test('so many answers are kept, the newest', async () => {
    for (let at = 0; at < 1_500; at += 1) await may(`n${at}`);
    expect(rights.known).toBe(1_000);
    await may('n1499');
    expect(asked).toBe(1_500);
    await may('n0');
    expect([asked, rights.known]).toEqual([1_501, 1_000]);
  });

  test('an answer that fails late does not take away one that came since', async () => {
    let fail = (_error: Error): void => {};
    answer = () => new Promise((_, reject) => (fail = reject));
    const slow = may('shop');
    now = 60_000;
    answer = () => Promise.resolve({ status: { allowed: true } });
    await may('shop');
    fail(new Error('too late'));
    await expect(slow).rejects.toThrow('too late');
    await may('shop');
    expect(asked).toBe(2);
  });
});
