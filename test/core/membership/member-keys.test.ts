import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  generationOf,
  judgeKeys,
  MAX_REPLACED_KEYS,
  memberKeysOf,
  proveMember,
  successionUri,
} from '../../../src/core/membership/member-keys.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import { considerRecords } from '../../../src/core/membership/roster.ts';
import { digestOfRoster, recordsMissingFrom, versionsOf } from '../../../src/core/membership/roster-digest.ts';
import { problemOfRecord } from '../../../src/core/membership/signed-record.ts';
import {
  createMember,
  flawedSuccessors,
  resigned,
  type TestMember,
  vouchedBy,
  withChain,
  withNextKey,
} from './member-fixture.ts';

let own: TestMember;
let alice: TestMember;
let second: TestMember;
let third: TestMember;
let thief: TestMember;

beforeAll(async () => {
  [own, alice, thief] = await Promise.all([createMember('own'), createMember('alice'), createMember('thief')]);
  second = await withNextKey(alice);
  third = await withNextKey(second);
});

const shown = ({ certificate }: TestMember): X509Certificate => new X509Certificate(certificate);
const consider = (known: TestMember, ...told: PeerRecord[]) =>
  considerRecords(told, new Map([[known.id, known.record]]), own.record);

describe('the keys of a member', () => {
  it('keep the ID of the first one, however many follow', () => {
    expect([second, third].map((one) => memberKeysOf(one.certificate).id)).toEqual([alice.id, alice.id]);
    expect([alice, second, third].map((one) => generationOf(memberKeysOf(one.certificate)))).toEqual([0, 1, 2]);
    expect(problemOfRecord(third.record)).toBeUndefined();
  });

  it('are judged by what came after what', () => {
    const keys = [alice, second, third].map((one) => memberKeysOf(one.certificate));
    expect(keys.map((known) => keys.map((one) => judgeKeys(known, one)))).toEqual([
      ['Present', 'Later', 'Later'],
      ['Replaced', 'Present', 'Later'],
      ['Replaced', 'Replaced', 'Present'],
    ]);
  });

  it('of a thief who has a replaced key part from the known ones and are believed by nobody who knows those', async () => {
    const fork = await withNextKey(alice);
    const longer = await withNextKey(await withNextKey(fork));
    for (const stolen of [fork, longer]) {
      expect(judgeKeys(memberKeysOf(second.certificate), memberKeysOf(stolen.certificate))).toBe('Foreign');
      expect(proveMember(shown(stolen), second.record)).toMatchObject({ problem: /another key/ });
    }
    expect(consider(second, longer.record)).toMatchObject([{ type: 'reject', reason: /does not come after/ }]);
  });

  it('may follow each other 64 times, and the message says what else there is', async () => {
    let last = alice;
    for (let i = 0; i < MAX_REPLACED_KEYS; i += 1) last = await withNextKey(last);
    expect(proveMember(shown(last), alice.record)).toEqual({ keyGeneration: 64 });
    expect(last.certificateDer.length).toBeLessThan(12_288);
    await expect(withNextKey(last)).rejects.toMatchObject({
      code: 'FailedPrecondition',
      message: /replaced its key 64 times.*headcut leave/,
    });
  });

  it('are not those of a chain with a flaw', async () => {
    const flawed = await flawedSuccessors(alice, thief);
    for (const [what, one] of Object.entries(flawed)) {
      expect(problemOfRecord(one.record), what).toBeDefined();
      expect(proveMember(shown(one), alice.record), what).toHaveProperty('problem');
      expect(consider(alice, one.record), what).toMatchObject([{ type: 'reject' }]);
    }
  });

  it('cost who is shown them no more than those that are new', async () => {
    let last = alice;
    for (let i = 0; i < 40; i += 1) last = await withNextKey(last);
    const garbage = await withChain(last, (next) => successionUri(last.certificate, thief.key, next));
    const cpuOf = (known: PeerRecord): number => {
      const before = process.cpuUsage();
      for (let i = 0; i < 50; i += 1) expect(proveMember(shown(garbage), known)).toHaveProperty('problem');
      return process.cpuUsage(before).user;
    };
    expect(cpuOf(last.record)).toBeLessThan(cpuOf(alice.record) / 1.5);
  });

  it('are those of a member without a chain where the second name says something else', async () => {
    const strange = await withChain(alice, () => 'https://example.org');
    expect(memberKeysOf(strange.certificate).fingerprints).toHaveLength(1);
    expect(memberKeysOf(strange.certificate).id).not.toBe(alice.id);
  });
});

describe('records by several keys', () => {
  it('are newer by a later key, whatever incarnation an earlier one signed', () => {
    const stolen = resigned(alice, { incarnation: Number.MAX_SAFE_INTEGER });
    expect(consider({ ...alice, record: stolen }, second.record)).toEqual([{ type: 'update', record: second.record }]);
    expect(consider(second, stolen)).toMatchObject([{ type: 'reject', reason: /a key that its owner replaced/ }]);
    expect(consider(second, resigned(alice, { incarnation: 9, left: true }))).toMatchObject([{ type: 'reject' }]);
  });

  it('of before the replacement say nothing new', () => {
    expect(consider(third, second.record, alice.record)).toEqual([]);
  });

  it('travel to who knows an earlier key, and differ in the digest', () => {
    const again = resigned(second, { incarnation: 1 });
    expect(digestOfRoster([again])).not.toBe(digestOfRoster([alice.record]));
    expect(recordsMissingFrom(versionsOf([alice.record], [], []), [again], [])).toEqual([again]);
    expect(recordsMissingFrom(versionsOf([again], [], []), [resigned(alice, { incarnation: 7 })], [])).toEqual([]);
  });

  it('admit nobody by the voucher of a key that was replaced', () => {
    const byOld = vouchedBy(thief, alice);
    expect(consider(second, byOld)).toMatchObject([{ type: 'reject', reason: /forged/ }]);
    expect(consider(second, vouchedBy(thief, second))).toMatchObject([{ type: 'add' }]);
  });
});
