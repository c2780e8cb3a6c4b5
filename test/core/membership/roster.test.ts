import { beforeAll, describe, expect, it } from 'vitest';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import { considerRecords, peerObjectName } from '../../../src/core/membership/roster.ts';
import { createMember, resigned, type TestMember, vouchedBy, withNextKey } from './member-fixture.ts';

let own: TestMember;
let known: TestMember;
let newcomer: TestMember;
let later: TestMember;

beforeAll(async () => {
  own = await createMember('own');
  known = await createMember('known');
  newcomer = await createMember('newcomer');
  later = await createMember('later');
});

const consider = (told: PeerRecord[]) => considerRecords(told, new Map([[known.id, known.record]]), own.record);

describe('considerRecords', () => {
  it('admits a newcomer that a known member vouches for', () => {
    const record = vouchedBy(newcomer, known);
    expect(consider([record])).toEqual([{ type: 'add', record }]);
  });

  it('admits a newcomer that this member itself vouches for', () => {
    const record = vouchedBy(newcomer, own);
    expect(consider([record])).toEqual([{ type: 'add', record }]);
  });

  it('admits a chain of newcomers in whatever order they are told', () => {
    const chain = [vouchedBy(newcomer, known), vouchedBy(later, newcomer)];
    for (const told of [chain, chain.toReversed()]) {
      expect(
        new Set(consider(told).map((decision) => [decision.type, 'record' in decision && decision.record.name].join())),
      ).toEqual(new Set(['add,newcomer', 'add,later']));
    }
  });

  it('refuses a newcomer without a voucher, with an unknown one, and with a forged one', () => {
    const forged = {
      ...newcomer.record,
      vouch: { by: known.id, signature: vouchedBy(newcomer, later).vouch?.signature ?? '' },
    };
    expect(consider([newcomer.record])).toMatchObject([{ type: 'reject', reason: /no member that we know/ }]);
    expect(consider([vouchedBy(newcomer, later)])).toMatchObject([
      { type: 'reject', reason: /no member that we know/ },
    ]);
    expect(consider([forged])).toMatchObject([{ type: 'reject', reason: /forged/ }]);
  });

  it('refuses a voucher that was given for another newcomer', () => {
    const borrowed = { ...newcomer.record, ...{ vouch: vouchedBy(later, known).vouch } } as PeerRecord;
    expect(consider([borrowed])).toMatchObject([{ type: 'reject', reason: /forged/ }]);
  });

  it('refuses a record that somebody changed on the way', () => {
    const record = { ...vouchedBy(newcomer, known), endpoints: ['198.51.100.66:7443'] };
    expect(consider([record])).toMatchObject([{ type: 'reject', reason: /signature/ }]);
  });

  it("refuses another key under a known member's ID", () => {
    const stolen = { ...vouchedBy(newcomer, own), id: known.id, incarnation: 9 };
    expect(consider([stolen])).toMatchObject([{ type: 'reject', reason: /fingerprint/ }]);
  });

  it('takes over a newer record of a known member, and ignores the same and older ones', () => {
    const newer = resigned(known, { incarnation: 2, endpoints: ['192.0.2.9:7443'] });
    expect(consider([newer])).toMatchObject([{ type: 'update', record: { incarnation: 2 } }]);
    expect(consider([known.record])).toEqual([]);
    expect(considerRecords([known.record], new Map([[known.id, newer]]), own.record)).toEqual([]);
  });

  it('never takes over what others tell about itself', () => {
    expect(consider([resigned(own, { incarnation: 7 })])).toEqual([]);
  });

  describe('of a member whose stored record was spoiled', () => {
    const spoiled = (record: PeerRecord, change: Partial<PeerRecord> = { endpoints: ['198.51.100.66:7443'] }) =>
      new Map([[record.id, { ...record, ...change }]]);
    const repair = (told: PeerRecord[], stored: Map<string, PeerRecord>) =>
      considerRecords(told, new Map([[known.id, known.record]]), own.record, stored);

    it('takes its own record from whoever tells it, of whatever version, and its last word', () => {
      const { record } = newcomer;
      expect(repair([record], spoiled(record, { incarnation: 99 }))).toEqual([{ type: 'update', record }]);
      const last = resigned(newcomer, { left: true, incarnation: 2 });
      expect(repair([last], spoiled(record))).toEqual([{ type: 'leave', record: last }]);
      expect(repair([record], spoiled(record, { certificate: 'nonsense' }))).toEqual([{ type: 'update', record }]);
    });

    it('refuses what is changed, and what an earlier key of it signed', async () => {
      const next = await withNextKey(newcomer);
      const changed = { ...next.record, endpoints: ['192.0.2.9:7443'] };
      expect(repair([changed], spoiled(next.record))).toMatchObject([{ type: 'reject', reason: /signature/ }]);
      const stale = resigned(newcomer, { incarnation: 9 });
      expect(repair([stale], spoiled(next.record))).toMatchObject([{ type: 'reject', reason: /does not come after/ }]);
      expect(repair([next.record], spoiled(newcomer.record))).toMatchObject([{ type: 'update' }]);
    });
  });

  it('has nothing left to do when its decisions were carried out', () => {
    const told = [vouchedBy(newcomer, known), vouchedBy(later, newcomer)];
    const members = new Map([[known.id, known.record]]);
    for (const decision of considerRecords(told, members, own.record)) {
      if (decision.type === 'add') members.set(decision.record.id, decision.record);
    }
    expect(considerRecords(told, members, own.record)).toEqual([]);
  });
});

describe('peerObjectName', () => {
  it('is the name of the member, told apart by its ID when another one has that name', () => {
    expect(peerObjectName(known.record, new Map())).toBe('known');
    expect(peerObjectName(known.record, new Map([['known', known.id]]))).toBe('known');
    expect(peerObjectName(known.record, new Map([['known', own.id]]))).toBe(`known-${known.id.slice(0, 6)}`);
  });
});
