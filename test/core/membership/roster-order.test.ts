import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import {
  considerRecord,
  considerRecords,
  costOfRecord,
  inOrderOfVouching,
  type KnownMembers,
} from '../../../src/core/membership/roster.ts';
import { createMember, resigned, type TestMember, vouchedBy, withNextKey } from './member-fixture.ts';

/** Nobody looks at keys here. */
const newcomer = (id: number, by: number): PeerRecord =>
  ({ id: `m${id}`, name: `m${id}`, certificate: '', vouch: { by: `m${by}`, signature: '' } }) as PeerRecord;

/** Newcomers by number, each vouched for by another number; 0 is a member. */
const told = fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 60 })), { maxLength: 120 });

describe('the order in which records are looked at', () => {
  it('has each of them once, after the one that vouches for it, whatever the order, the depth and the circles', () => {
    fc.assert(
      fc.property(told, (pairs) => {
        const records = pairs.map(([id, by]) => newcomer(id, by));
        const members = new Map<string, PeerRecord>([['m0', newcomer(0, 0)]]);
        const seen: PeerRecord[] = [];
        const known: KnownMembers = { get: (id) => members.get(id), unusable: () => undefined };
        for (const record of inOrderOfVouching(records, known)) {
          seen.push(record);
          if (members.has(record.vouch?.by ?? '')) members.set(record.id, record);
        }
        expect(seen).toHaveLength(records.length);
        expect(new Set(seen)).toEqual(new Set(records));
        // As many came in as can, whoever is asked in which order.
        for (const record of records)
          expect(members.has(record.vouch?.by ?? '') && !members.has(record.id)).toBe(false);
      }),
    );
  });

  it('looks at thousands in no time', () => {
    const records = Array.from({ length: 5_000 }, (_, i) => newcomer(i + 1, i + 2)).concat(newcomer(5_001, 0));
    const members = new Map<string, PeerRecord>([['m0', newcomer(0, 0)]]);
    const before = process.cpuUsage();
    for (const record of inOrderOfVouching(records, { get: (id) => members.get(id), unusable: () => undefined }))
      members.set(record.id, record);
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(200);
    expect(members.size).toBe(5_002);
  });
});

describe('what it costs to look at records', () => {
  let own: TestMember;
  let known: TestMember;
  let stranger: TestMember;
  let old: TestMember;
  const view = (...members: PeerRecord[]): KnownMembers => ({
    get: (id) => members.find((one) => one.id === id),
    unusable: () => undefined,
  });

  beforeAll(async () => {
    [own, known, stranger] = [await createMember('own'), await createMember('known'), await createMember('stranger')];
    old = await createMember('old');
    for (let i = 0; i < 20; i += 1) old = await withNextKey(old);
  });

  it('is nothing for what is known already, and for newcomers that hang on nobody', () => {
    expect(costOfRecord(known.record, view(known.record))).toBe(0);
    expect(costOfRecord(vouchedBy(stranger, known), view())).toBe(0);
    expect(costOfRecord({ ...stranger.record, left: true }, view(known.record))).toBe(0);
  });

  it('is one signature for a change of a member, however often it replaced its key before', () => {
    const changed = resigned(old, { incarnation: 99 });
    expect(costOfRecord(changed, view(old.record))).toBe(1);
    expect(considerRecord(changed, view(old.record))).toMatchObject({ type: 'update' });
  });

  it('is as much as the keys of a newcomer are, and no less than what is verified', () => {
    expect(costOfRecord(vouchedBy(stranger, known), view(known.record))).toBeLessThan(5);
    const cost = costOfRecord(vouchedBy(old, known), view(known.record));
    expect(cost).toBeGreaterThanOrEqual(22);
    expect(cost).toBeLessThan(26);
  });

  it('grows with their number and not with its square, in the worst order there is', async () => {
    const chain = await Promise.all(Array.from({ length: 100 }, (_, i) => createMember(`m${i}`)));
    const records = chain.map((one, i) => vouchedBy(one, chain[i + 1] ?? known));
    const before = process.cpuUsage();
    const decisions = considerRecords(records, new Map([[known.id, known.record]]), own.record);
    // Each record twice verified is 100 ms here; in each of a hundred rounds it was two seconds.
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(500);
    expect(decisions.filter(({ type }) => type === 'add')).toHaveLength(100);
  });
});
