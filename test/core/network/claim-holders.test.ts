import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Holders,
  mustMove,
  NO_HOLDERS,
  parseHolders,
  planHolders,
  QUARANTINE_MS,
} from '../../../src/core/network/claim-holders.ts';
import { derivedPrefix } from '../../../src/core/network/derived-prefix.ts';
import { type ClaimOfMember, type NetworkClaim, planClaim } from '../../../src/core/network/network-claim.ts';
import { formatPrefix, overlaps, parsePrefix } from '../../../src/core/network/prefix.ts';

const RANGE = '100.64.0.0/10';
const keyOf = (text: string): string => createHash('sha256').update(text).digest().fill(0, 31).toString('base64');
const claim = (prefix: string, key: string, since = 1_000): NetworkClaim => ({
  ...{ publicKey: keyOf(key), port: 51820, podCidr: '10.244.0.0/24', prefix, since },
});
const own: ClaimOfMember = { id: 'own', claim: claim('100.64.1.0/24', 'own') };

/** A look at these claims; who has none is a member all the same where it is named. */
function look(before: Holders, claims: ClaimOfMember[], { now = 1_000, members = [] as string[], range = RANGE } = {}) {
  const ids = new Set([...claims.map(({ id }) => id), ...members]);
  return planHolders(before, claims, { own, range, members: ids, nameOf: (id) => id.toUpperCase(), now });
}

const victim = { id: 'v', claim: claim('100.64.5.0/24', 'v') };
const thief = { id: 'a', claim: claim('100.64.5.0/24', 'a', 0) };

describe('who was seen to hold a prefix first', () => {
  it('keeps it, whatever age a later claim has, whatever its ID, and over a restart', () => {
    const { holders } = look(NO_HOLDERS, [victim]);
    const stored = parseHolders(JSON.stringify(holders)) ?? NO_HOLDERS;
    for (const order of [
      [victim, thief],
      [thief, victim],
    ]) {
      const after = look(stored, order);
      expect(after.holders.held).toEqual([{ id: 'v', publicKey: victim.claim.publicKey, prefix: '100.64.5.0/24' }]);
      expect(after.refusals.get('a')).toMatchObject({ reason: 'Clash', message: expect.stringContaining('V') });
    }
  });

  it('is followed by nobody at once when it moves', () => {
    const first = look(NO_HOLDERS, [victim]);
    const moved = { id: 'v', claim: claim('100.64.6.0/24', 'v') };
    const after = look(first.holders, [moved, thief], { now: 2_000 });
    expect(after.refusals.get('a')?.reason).toBe('Clash');
    const later = look(after.holders, [moved, thief], { now: 2_000 + QUARANTINE_MS });
    expect(later.holders.held.map(({ id }) => id).sort()).toEqual(['a', 'v']);
  });

  it('keeps it while it is not to be seen for a while, and finds it when it comes back', () => {
    const { holders } = look(NO_HOLDERS, [victim]);
    const away = look(holders, [thief], { now: 60_000 });
    expect(away.refusals.has('a')).toBe(true);
    const back = look(away.holders, [thief, victim], { now: 120_000 });
    expect(back.holders.held).toMatchObject([{ id: 'v', prefix: '100.64.5.0/24' }]);
  });

  it('keeps its WireGuard key too, and ours stays ours', () => {
    const { holders } = look(NO_HOLDERS, [victim]);
    const copy = { id: 'a', claim: claim('100.64.7.0/24', 'v') };
    const ours = { id: 'b', claim: claim('100.64.8.0/24', 'own') };
    const { refusals, holders: after } = look(holders, [copy, victim, ours]);
    expect([...refusals].map(([id, { reason }]) => [id, reason]).sort()).toEqual([
      ['a', 'KeyTaken'],
      ['b', 'KeyTaken'],
    ]);
    expect(after.held.map(({ id }) => id)).toEqual(['v']);
  });

  it('does not depend on the order in which claims are told', () => {
    const claims = fc.array(
      fc.record({ id: fc.string({ minLength: 1, maxLength: 4 }), slot: fc.nat({ max: 5 }), key: fc.nat({ max: 5 }) }),
      { maxLength: 10 },
    );
    fc.assert(
      fc.property(claims, (list) => {
        const all = [...new Map(list.map((one) => [one.id, one])).values()].map(({ id, slot, key }) => ({
          id,
          claim: claim(`100.70.${slot}.0/24`, String(key)),
        }));
        const { held } = look(NO_HOLDERS, all).holders;
        const sorted = (ids: readonly { id: string }[]) => ids.map(({ id }) => id).sort();
        expect(sorted(look(NO_HOLDERS, [...all].reverse()).holders.held)).toEqual(sorted(held));
        for (const [i, a] of held.entries())
          for (const b of held.slice(i + 1)) {
            expect(overlaps(parsePrefix(a.prefix), parsePrefix(b.prefix))).toBe(false);
            expect(a.publicKey).not.toBe(b.publicKey);
          }
      }),
    );
  });

  it('counts after whom the prefix comes from by its ID, where a newcomer sees both at once', () => {
    const prefix = formatPrefix(derivedPrefix('zz', 0, { range: parsePrefix(RANGE), length: 24 }));
    const honest = { id: 'zz', claim: claim(prefix, 'zz') };
    const copied = { id: 'aa', claim: claim(prefix, 'aa', 0) };
    expect(look(NO_HOLDERS, [copied, honest]).holders.held.map(({ id }) => id)).toEqual(['zz']);
  });

  it('remembers a bounded number of those who went', () => {
    let holders = NO_HOLDERS;
    for (let round = 0; round < 1_100; round += 1) {
      const prefix = `100.${64 + (round >> 8)}.${round % 256}.0/24`;
      holders = look(holders, [{ id: `m${round}`, claim: claim(prefix, `k${round}`) }], { now: round }).holders;
    }
    expect(holders.released.length).toBe(1_000);
  });

  it('is forgotten where what was stored is none of ours', () => {
    expect(parseHolders('{"held":1}')).toBeUndefined();
    expect(parseHolders('no')).toBeUndefined();
    expect(parseHolders(undefined)).toBeUndefined();
  });
});

describe('two federations that meet', () => {
  const range = '10.0.0.0/20';

  /** Members that look at each other every 5 s; each claims alone before that. */
  function meet(ids: readonly string[], since: (id: string) => number) {
    const claims = new Map<string, NetworkClaim>();
    const holders = new Map<string, Holders>();
    const step = (id: string, others: ClaimOfMember[], now: number): void => {
      const present = claims.get(id);
      const before = holders.get(id) ?? NO_HOLDERS;
      const context = (claimNow: NetworkClaim) => ({
        ...{ own: { id, claim: claimNow }, range, members: new Set(others.map((one) => one.id)), now },
        nameOf: (one: string) => one,
      });
      let moves = false;
      if (present !== undefined) {
        const after = planHolders(before, others, context(present)).holders;
        moves = mustMove({ before, after, claims: others, context: context(present) });
        if (moves) holders.set(id, { ...after, movedAt: now });
      }
      const known = holders.get(id) ?? before;
      const plan = planClaim({
        ...{ id, present, mustMove: moves, publicKey: keyOf(id), port: 51820, podCidr: '10.244.0.0/24', range },
        ...{ held: known.held.map((one) => parsePrefix(one.prefix)), used: [] },
        ...{
          claimed: others.map((one) => parsePrefix(one.claim.prefix)),
          now: present === undefined ? since(id) : now,
        },
      });
      if ('refused' in plan) throw new Error(plan.refused.message);
      claims.set(id, plan.claim);
      holders.set(id, planHolders(known, others, context(plan.claim)).holders);
    };
    for (const id of ids) step(id, [], 0);
    // They knew others before: whoever was alone would give way at once.
    for (const id of ids) holders.set(id, { ...NO_HOLDERS, met: true });
    for (let now = 10_000; now < 400_000; now += 5_000)
      for (const id of ids) {
        const others = ids
          .filter((one) => one !== id)
          .map((one) => ({ id: one, claim: claims.get(one) as NetworkClaim }));
        step(id, others, now);
      }
    return { claims, holders };
  }

  it('end without overlaps, with all of them known to all', () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 6 });
    fc.assert(
      fc.property(names, (ids) => {
        const { claims, holders } = meet(ids, () => 1);
        const prefixes = [...claims.values()].map((one) => parsePrefix(one.prefix));
        for (const [i, a] of prefixes.entries())
          for (const b of prefixes.slice(i + 1)) expect(overlaps(a, b)).toBe(false);
        for (const known of holders.values()) expect(known.held).toHaveLength(ids.length - 1);
      }),
      { numRuns: 30 },
    );
  });

  const [small, large] = collidingIds(range);

  it('leave it to the smaller ID where two have one prefix, however old the claims are', () => {
    const { claims } = meet([small, large], (id) => (id === small ? 9 : 1));
    const prefix = formatPrefix(derivedPrefix(small, 0, { range: parsePrefix(range), length: 24 }));
    expect(claims.get(small)?.prefix).toBe(prefix);
    expect(claims.get(large)?.prefix).not.toBe(prefix);
  });

  it('make a member move once, and only for a first claim that an ID leads to', () => {
    const prefix = formatPrefix(derivedPrefix(small, 0, { range: parsePrefix(range), length: 24 }));
    const mine = { id: large, claim: claim(prefix, large) };
    const context = { own: mine, range, members: new Set([small, 'a']), nameOf: String, now: 100_000 };
    const refusedAt = (id: string, first: boolean): Holders => ({
      ...NO_HOLDERS,
      met: true,
      refused: [{ id, publicKey: keyOf(id), prefix, at: 1, first }],
    });
    const moves = (after: Holders, id: string, since = 1_000): boolean =>
      mustMove({ before: after, after, claims: [{ id, claim: claim(prefix, id, since) }], context });
    expect(moves(refusedAt(small, true), small)).toBe(true);
    expect(moves({ ...refusedAt(small, true), movedAt: 50_000 }, small)).toBe(false);
    expect(moves(refusedAt(small, false), small)).toBe(false);
    // It wrote down somebody else's prefix.
    expect(moves(refusedAt('a', true), 'a', 0)).toBe(false);
  });
});

/** Two IDs that lead to one network, the smaller one first. */
function collidingIds(range: string): [string, string] {
  const seen = new Map<number, string>();
  for (let i = 0; ; i += 1) {
    const id = `m${i}`;
    const { base } = derivedPrefix(id, 0, { range: parsePrefix(range), length: 24 });
    const other = seen.get(base);
    if (other !== undefined) return [other, id].sort() as [string, string];
    seen.set(base, id);
  }
}
