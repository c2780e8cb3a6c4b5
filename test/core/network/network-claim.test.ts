import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ClaimInput,
  type ClaimOfMember,
  DEFAULT_NETWORK_RANGE,
  type NetworkClaim,
  overlaps,
  planClaim,
  problemOfClaim,
  standingClaims,
} from '../../../src/core/network/network-claim.ts';
import { contains, parsePrefix } from '../../../src/core/network/prefix.ts';

const KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';

function input(overrides: Partial<ClaimInput> = {}): ClaimInput {
  const range = DEFAULT_NETWORK_RANGE;
  return {
    id: 'aa',
    present: undefined,
    publicKey: KEY,
    port: 51820,
    podCidr: '10.244.0.0/24',
    range,
    others: [],
    now: 1_000,
    ...overrides,
  };
}

function claimed(overrides: Partial<ClaimInput> = {}): NetworkClaim {
  const plan = planClaim(input(overrides));
  if ('refused' in plan) throw new Error(plan.refused.message);
  return plan.claim;
}

const claim = (prefix: string, since: number): NetworkClaim => ({
  publicKey: KEY,
  port: 51820,
  podCidr: '10.244.0.0/24',
  prefix,
  since,
});

describe('the claim of a prefix', () => {
  it('follows from the ID alone where nobody else is', () => {
    expect(claimed()).toEqual(claimed({ now: 1_000 }));
    expect(claimed().prefix).not.toBe(claimed({ id: 'bb' }).prefix);
    expect(contains(parsePrefix(DEFAULT_NETWORK_RANGE), parsePrefix(claimed().prefix))).toBe(true);
  });

  it('stays as it is over restarts and later newcomers', () => {
    const first = claimed();
    const others = [{ id: 'bb', claim: { ...first, since: 2_000 } }];
    expect(claimed({ present: first, others, now: 9_000 })).toEqual(first);
  });

  it('gives way to an older claim, with another prefix and a new date', () => {
    const first = claimed({ now: 5_000 });
    const others = [{ id: 'bb', claim: { ...first, since: 4_000 } }];
    const second = claimed({ present: first, others, now: 9_000 });
    expect(second.prefix).not.toBe(first.prefix);
    expect(second.since).toBe(9_000);
  });

  it('gives way to the smaller ID where both were made in the same millisecond', () => {
    const first = claimed();
    expect(claimed({ id: 'aa', present: first, others: [{ id: 'bb', claim: first }] }).prefix).toBe(first.prefix);
    expect(claimed({ id: 'cc', present: first, others: [{ id: 'bb', claim: first }] }).prefix).not.toBe(first.prefix);
  });

  it('gives way to an older claim that only overlaps', () => {
    const first = claimed({ now: 5_000 });
    const wide = { ...claim('100.64.0.0/11', 1), podCidr: '10.0.0.0/11' };
    const others = [
      { id: 'bb', claim: wide },
      { id: 'cc', claim: claim('100.96.0.0/11', 1) },
    ];
    expect(planClaim(input({ present: first, others }))).toMatchObject({ refused: { reason: 'RangeFull' } });
  });

  it('is made anew when the range or the size of the pod network changes', () => {
    const first = claimed();
    expect(claimed({ present: first, range: '198.18.0.0/15' }).prefix).toMatch(/^198\.1[89]\./);
    expect(claimed({ present: first, podCidr: '10.244.0.0/23' }).prefix).toMatch(/\/23$/);
    expect(claimed({ present: first, podCidr: '10.99.0.0/24', now: 9_000 })).toEqual({
      ...first,
      podCidr: '10.99.0.0/24',
    });
  });

  it('is refused where the range is smaller than the pod network', () => {
    expect(planClaim(input({ range: '100.64.0.0/24', podCidr: '10.244.0.0/16' }))).toMatchObject({
      refused: { reason: 'RangeTooSmall' },
    });
  });

  it('finds the last free network of a full range', () => {
    const others = ['0', '1', '3'].map((n) => ({ id: `m${n}`, claim: claim(`192.168.${n}.0/24`, 1) }));
    expect(claimed({ range: '192.168.0.0/22', others }).prefix).toBe('192.168.2.0/24');
  });

  it('ends without overlaps, however the members hear of each other', () => {
    const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(ids, fc.infiniteStream(fc.nat({ max: 3 })), (members, times) => {
        const claims = new Map<string, NetworkClaim>();
        const others = (id: string): ClaimOfMember[] =>
          [...claims].filter(([other]) => other !== id).map(([other, one]) => ({ id: other, claim: one }));
        // Everybody claims alone first, out of a small range, then all meet.
        for (const id of members) claims.set(id, claimed({ id, range: '10.0.0.0/20', now: times.next().value }));
        for (let round = 0; round < members.length; round += 1)
          for (const id of members) {
            const present = claims.get(id);
            claims.set(id, claimed({ id, present, range: '10.0.0.0/20', others: others(id), now: 100 + round }));
          }
        const all = [...claims].map(([id, one]) => ({ id, claim: one }));
        expect(standingClaims(all).size).toBe(members.length);
      }),
      { numRuns: 50 },
    );
  });
});

describe('standing claims', () => {
  it('are the same for everybody, whatever order they came in', () => {
    const claims = fc.array(
      fc.record({ id: fc.string({ minLength: 1, maxLength: 4 }), slot: fc.nat({ max: 5 }), since: fc.nat({ max: 3 }) }),
      { maxLength: 10 },
    );
    fc.assert(
      fc.property(claims, (list) => {
        const all = [...new Map(list.map((one) => [one.id, one])).values()].map(({ id, slot, since }) => ({
          id,
          claim: claim(`100.64.${slot}.0/24`, since),
        }));
        const forwards = standingClaims(all);
        const backwards = standingClaims([...all].reverse());
        expect([...forwards.keys()].sort()).toEqual([...backwards.keys()].sort());
        const prefixes = [...forwards.values()].map((one) => parsePrefix(one.prefix));
        for (const [i, a] of prefixes.entries())
          for (const b of prefixes.slice(i + 1)) expect(overlaps(a, b)).toBe(false);
      }),
    );
  });
});

describe('the claim of another member', () => {
  it.each([
    ['100.64.5.0/24', '10.244.0.0/24', undefined],
    ['10.96.0.0/24', '10.244.0.0/24', 'OtherRange'],
    ['0.0.0.0/0', '0.0.0.0/0', 'InvalidClaim'],
    ['100.64.0.0/10', '10.64.0.0/10', 'InvalidClaim'],
    ['100.64.5.0/24', '10.244.0.0/23', 'InvalidClaim'],
  ])('%s for %s: %s', (prefix, podCidr, reason) => {
    expect(problemOfClaim({ ...claim(prefix, 1), podCidr }, DEFAULT_NETWORK_RANGE)?.reason).toBe(reason);
  });
});
