import { beforeAll, describe, expect, it } from 'vitest';
import type { MembersToHear } from '../../../src/agent/ports.ts';
import { RecordIntake } from '../../../src/agent/roster/record-intake.ts';
import type { Beliefs } from '../../../src/core/membership/judge-record.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import { type Logger, silentLogger } from '../../../src/runtime/logger.ts';
import { oneAtATime } from '../../../src/runtime/one-at-a-time.ts';
import {
  createMember,
  resigned,
  type TestMember,
  vouchedBy,
  withNextKey,
} from '../../core/membership/member-fixture.ts';
import { SimulatedTime } from '../../sim/simulated-time.ts';

let bad: TestMember;
let good: TestMember;
/** A hundred newcomers, each vouched for by the next one, the last by `bad`: the worst order there is. */
let chain: PeerRecord[];
/** Newcomers that replaced their keys twenty times. */
let manyKeys: PeerRecord[];

beforeAll(async () => {
  [bad, good] = [await createMember('bad'), await createMember('good')];
  const invented = await Promise.all(Array.from({ length: 100 }, (_, i) => createMember(`fake-${i}`)));
  chain = invented.map((one, i) => vouchedBy(one, invented[i + 1] ?? bad));
  let one = await createMember('old');
  for (let i = 0; i < 20; i += 1) one = await withNextKey(one);
  // The signature is not its own, which shows at the very end.
  manyKeys = Array.from({ length: 200 }, (_, i) => ({ ...vouchedBy(one, bad), name: `n${i}` }));
}, 60_000);

/** The intake of a member that knows `bad` and `good`. */
function start() {
  const time = new SimulatedTime();
  const members = new Map([bad, good].map(({ id, record }) => [id, record]));
  const writes: string[] = [];
  const rejected: string[] = [];
  const warnings: string[] = [];
  const logger = Object.assign(Object.create(silentLogger) as Logger, {
    warn: (_fields: object, message: string) => void warnings.push(message),
  });
  const carryOut: MembersToHear['carryOut'] = (decision) => {
    if (decision.type === 'reject') rejected.push(decision.id);
    else {
      writes.push(`${decision.type} ${decision.record.name}`);
      members.set(decision.record.id, decision.record);
    }
    return Promise.resolve();
  };
  const beliefs: Beliefs = {
    known: { get: (id) => members.get(id), unusable: () => undefined },
    isIgnored: () => false,
    removed: { has: () => false, refuses: () => false },
    problemOf: () => undefined,
  };
  const takeWanted = async (records: readonly PeerRecord[], from: string): Promise<void> => {
    for (const record of records) await carryOut({ type: 'update', record }, { from, isWanted: true });
  };
  const hearing: MembersToHear = { beliefs, carryOut, takeWanted, serially: oneAtATime() };
  const intake = new RecordIntake({ members: hearing, clock: time.clock, logger });
  return { intake, time, members, writes, rejected, warnings };
}

/** Longest time (ms) for which this process computed without a turn of its event loop, while `work` went on. */
async function longestStretch(work: Promise<unknown>): Promise<number> {
  let [longest, done] = [0, false];
  const end = work.finally(() => {
    done = true;
  });
  for (let before = process.cpuUsage(); !done; before = process.cpuUsage()) {
    await new Promise((resolve) => setImmediate(resolve));
    longest = Math.max(longest, process.cpuUsage(before).user / 1_000);
  }
  await end;
  return longest;
}

describe('what members tell about members', { timeout: 60_000 }, () => {
  it('is taken in whole in the worst order, and the event loop goes on meanwhile', async () => {
    const { intake, writes } = start();
    expect(await longestStretch(intake.tell(chain, bad.id))).toBeLessThan(50);
    expect(writes).toHaveLength(100);
  });

  it('costs one teller no more than its share of signatures, and what is over is told again', async () => {
    const { intake, rejected, warnings, time } = start();
    expect(await longestStretch(intake.tell(manyKeys, bad.id))).toBeLessThan(50);
    // Two thousand signatures, of records with twenty-three or so each.
    expect(rejected.length).toBeGreaterThan(70);
    expect(rejected.length).toBeLessThan(100);
    expect(await intake.tell(manyKeys, bad.id)).toBe('part');
    expect(warnings).toHaveLength(1);
    const before = rejected.length;
    await time.pass(60_000);
    await intake.tell(manyKeys, bad.id);
    expect(rejected.length - before).toBeGreaterThan(20);
    expect(rejected.length - before).toBeLessThan(30);
    expect(warnings).toHaveLength(1);
  });

  it('by one teller does not keep what another one tells waiting', async () => {
    const { intake, writes } = start();
    const order: string[] = [];
    const newcomer = vouchedBy(await createMember('friend'), good);
    const much = intake.tell(manyKeys, bad.id).then(() => order.push('bad'));
    const little = intake.tell([newcomer], good.id).then(() => order.push('good'));
    await Promise.all([much, little]);
    expect(order).toEqual(['good', 'bad']);
    expect(writes).toEqual(['add friend']);
  });

  it('is told a few times at once and no more, of which the last counts', async () => {
    const { intake, writes } = start();
    const newcomers = await Promise.all(Array.from({ length: 30 }, (_, i) => createMember(`n${i}`)));
    const told = newcomers.map((one) => intake.tell([vouchedBy(one, good)], good.id));
    const outcomes = await Promise.all(told);
    expect(outcomes.filter((one) => one === 'all')).toHaveLength(4);
    expect(writes.at(-1)).toBe('add n29');
  });
});

describe('a member that changes its record all the time', { timeout: 60_000 }, () => {
  const changed = (incarnation: number) => resigned(bad, { incarnation, endpoints: [`192.0.2.1:${incarnation}`] });

  it('is written ten times at once, then once in ten seconds, and its last change counts', async () => {
    const { intake, writes, members, time, warnings } = start();
    for (let i = 2; i <= 40; i += 1) await intake.tell([changed(i)], i % 2 === 0 ? bad.id : good.id);
    expect(writes).toHaveLength(10);
    expect(warnings).toHaveLength(1);
    await time.pass(11_000);
    expect(writes).toHaveLength(11);
    expect(members.get(bad.id)?.incarnation).toBe(40);
    for (let s = 0; s < 60; s += 1) {
      await intake.tell([changed(100 + s)], bad.id);
      await time.pass(1_000);
    }
    expect(writes.length).toBeLessThanOrEqual(18);
    await time.pass(11_000);
    expect(members.get(bad.id)?.incarnation).toBe(159);
    expect(warnings).toHaveLength(1);
  });

  it('is heard at once when it replaces its key, and when it leaves', async () => {
    const { intake, writes, members } = start();
    for (let i = 2; i <= 20; i += 1) await intake.tell([changed(i)], bad.id);
    const next = await withNextKey(bad, { incarnation: 30 });
    await intake.tell([next.record], bad.id);
    expect(members.get(bad.id)?.certificate).toBe(next.record.certificate);
    await intake.tell([resigned(next, { incarnation: 31, left: true })], good.id);
    expect(writes.at(-1)).toBe('leave bad');
  });
});
