import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairShares } from '../../src/runtime/fair-shares.ts';

const LIMITS = { total: 512, perOwner: 16, perMember: 4, mostPerMember: 64 };

/** As many as it gets. */
function takeAll(shares: FairShares, owner: string, members: number): number {
  let taken = 0;
  for (let member = 0; member < members; member += 1) while (shares.take(owner, `${member}`) !== undefined) taken += 1;
  return taken;
}

describe('shares of what is used for a while', () => {
  it('leave some for the next one, whatever an owner takes, and for its other members', () => {
    const shares = new FairShares(LIMITS);
    expect(takeAll(shares, 'greedy', 1)).toBe(64);
    expect(takeAll(shares, 'greedy', 100)).toBeGreaterThan(100);
    expect(shares.take('greedy', 'another pod')).toBeDefined();
    expect(takeAll(shares, 'second', 1)).toBeGreaterThanOrEqual(LIMITS.perOwner / 2);
    for (let owner = 0; owner < 20; owner += 1)
      expect(takeAll(shares, `owner ${owner}`, 4)).toBeGreaterThanOrEqual(LIMITS.perOwner);
  });

  it('are bounded, and come back once', () => {
    const kept = fc.array(fc.record({ owner: fc.nat({ max: 5 }), member: fc.nat({ max: 5 }), back: fc.boolean() }), {
      maxLength: 2_000,
    });
    fc.assert(
      fc.property(kept, (steps) => {
        const shares = new FairShares({ total: 40, perOwner: 4, perMember: 1, mostPerMember: 8 });
        const held: (() => void)[] = [];
        for (const { owner, member, back } of steps) {
          const giveBack = back ? undefined : shares.take(`${owner}`, `${member}`);
          if (giveBack !== undefined) held.push(giveBack);
          else if (back) {
            const one = held.pop();
            one?.();
            one?.();
          }
          expect(shares.used).toBe(held.length);
          expect(shares.used).toBeLessThanOrEqual(40 + 6 * 6);
        }
      }),
      { numRuns: 30 },
    );
  });
});
