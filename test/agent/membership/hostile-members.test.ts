import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AdmissionGate } from '../../../src/agent/membership/admission-gate.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import type { MemberLimits } from '../../../src/core/membership/voucher-tree.ts';
import { createMember, resigned, type TestMember, vouchedBy } from '../../core/membership/member-fixture.ts';
import { eventually } from '../../peering/peer-server-fixture.ts';
import { createCluster, joinThrough, startAgent, type TestAgent } from './federation-fixture.ts';

const running: TestAgent[] = [];
let stranger: TestMember;
let other: TestMember;

beforeAll(async () => {
  stranger = await createMember('stranger');
  other = await createMember('other');
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((agent) => agent.stop()));
});

async function start(name: string, skewMs = 0, limits: Partial<MemberLimits> = {}): Promise<TestAgent> {
  const agent = await startAgent(await createCluster(name, skewMs), limits);
  running.push(agent);
  return agent;
}

const names = (agent: TestAgent): string[] => agent.peers.list().map((link) => link.name);

/** An honest member, and one that tells it whatever it likes. */
async function pair(limits: Partial<MemberLimits> = {}) {
  const [a, bad] = [await start('a', 0, limits), await start('bad')];
  await joinThrough(bad, a);
  await eventually(() => a.peers.get(bad.own.id)?.state === 'Connected');
  return { a, bad, tell: (...records: PeerRecord[]) => a.rosters.tell(records, bad.own.id) };
}

describe('a hostile member', { timeout: 60_000 }, () => {
  it.each<[string, (bad: TestMember) => PeerRecord]>([
    ['a record that its owner did not sign', (bad) => ({ ...vouchedBy(stranger, bad), name: 'forged' })],
    ['a record about somebody else, under a key of its own', (bad) => ({ ...vouchedBy(stranger, bad), id: other.id })],
    ['a newcomer without a voucher', () => stranger.record],
    ['a newcomer whose voucher is no member', () => vouchedBy(stranger, other)],
    [
      'a voucher that it signed in the name of another',
      (bad) => {
        const { vouch } = vouchedBy(stranger, other);
        return { ...stranger.record, vouch: { by: bad.id, signature: vouch?.signature ?? '' } };
      },
    ],
    [
      'a voucher that was given for another newcomer',
      (bad) => ({
        ...stranger.record,
        ...pick(vouchedBy(other, bad)),
      }),
    ],
  ])('brings nobody in by %s, which is logged once', async (_what, make) => {
    const { a, bad, tell } = await pair();
    const record = make(bad.cluster.identity);
    for (let i = 0; i < 5; i += 1) await tell(record);
    expect(names(a)).toEqual(['bad']);
    expect(a.cluster.warnings).toEqual(['record of a member not believed']);
  });

  it('changes nothing by records that were valid once', async () => {
    const { a, bad, tell } = await pair();
    const own = a.own.record();
    const now = resigned(bad.cluster.identity, { incarnation: 100, endpoints: ['192.0.2.9:7443'] });
    await tell(now);
    await tell(resigned(bad.cluster.identity, { incarnation: 99, endpoints: ['192.0.2.66:7443'] }));
    await tell({ ...own, endpoints: ['192.0.2.66:7443'], incarnation: own.incarnation + 7 });
    expect(a.rosters.records()).toMatchObject([own, { endpoints: ['192.0.2.9:7443'], incarnation: 100 }]);
    expect(a.cluster.warnings).toEqual([]);
  });

  it("says nobody else out of the federation: the last word is its owner's", async () => {
    const { a, tell } = await pair();
    const c = await start('c');
    await joinThrough(c, a);
    const { signature: _, ...record } = c.own.record();
    await tell({ ...record, left: true, incarnation: record.incarnation + 1, signature: c.own.record().signature });
    expect(names(a)).toEqual(['bad', 'c']);
    expect(a.cluster.warnings).toEqual(['record of a member not believed']);
  });

  it('fills neither memory nor log with members that it invents', async () => {
    const { a, bad, tell } = await pair({ members: 10 });
    // Links of a stopped agent do not try to connect to anybody.
    await Promise.all(running.splice(0).map((agent) => agent.stop()));
    const invented = await Promise.all(Array.from({ length: 50 }, (_, i) => createMember(`fake-${i}`)));
    const records = invented.map((one) => vouchedBy(one, bad.cluster.identity));
    for (let i = 0; i < 3; i += 1) await tell(...records);
    expect(names(a).length).toBe(10);
    expect(a.cluster.warnings.length).toBe(21);
    expect(a.cluster.warnings.at(-1)).toMatch(/further ones are not logged/);
  });
});

describe('a member that vouches for hundreds', { timeout: 60_000 }, () => {
  it('brings in no more than its share, by whatever detours, and leaves room for those of others', async () => {
    const { a, bad, tell } = await pair({ members: 20, broughtIn: 8, broughtInByOwn: 10 });
    const honest = await start('honest');
    await joinThrough(honest, a);
    await Promise.all(running.splice(0).map((agent) => agent.stop()));
    const invented = await Promise.all(Array.from({ length: 30 }, (_, i) => createMember(`fake-${i}`)));
    // Each vouches for the next one.
    const vouchers = [bad.cluster.identity, ...invented];
    await tell(...invented.map((one, i) => vouchedBy(one, vouchers[i] as TestMember)));
    await tell(...invented.map((one) => vouchedBy(one, bad.cluster.identity)));
    expect(names(a).filter((name) => name.startsWith('fake-'))).toHaveLength(10);
    const friend = await createMember('friend');
    await a.rosters.tell([vouchedBy(friend, honest.cluster.identity)], honest.own.id);
    expect(names(a)).toContain('friend');
  });
});

describe('the list of newcomers that wait for approval', () => {
  it('has room for those of others, however many one member vouches for', () => {
    const gate = new AdmissionGate(() => ({ metadata: { name: 'headcut' }, spec: { admission: 'Manual' } }));
    const newcomer = (id: string, by: string) => ({ id, name: id, vouch: { by, signature: '' } }) as PeerRecord;
    for (let i = 0; i < 200; i += 1) gate.admits(newcomer(`fake-${i}`, 'bad'));
    gate.admits(newcomer('friend', 'honest'));
    expect(gate.pending().filter(({ vouchedBy }) => vouchedBy === 'bad')).toHaveLength(25);
    expect(gate.pending().at(-1)).toMatchObject({ name: 'friend' });
  });
});

describe('clocks', { timeout: 60_000 }, () => {
  it('may be an hour ahead and an hour behind', async () => {
    const hour = 3_600_000;
    const [a, ahead, behind] = [await start('a'), await start('ahead', hour), await start('behind', -hour)];
    await joinThrough(ahead, a);
    await joinThrough(behind, ahead);
    for (const agent of [a, ahead, behind])
      await eventually(() => agent.peers.list().filter((link) => link.state === 'Connected').length === 2);
    const skew = await eventually(() => behind.peers.get(ahead.own.id)?.status.clockSkewMs);
    expect(Math.round(skew / hour)).toBe(2);
    await ahead.own.refresh({ metadata: { name: 'headcut' }, spec: { name: 'renamed' } });
    await eventually(() => behind.cluster.peers.get('ahead')?.spec.name === 'renamed');
  });
});

function pick({ vouch }: PeerRecord): Pick<PeerRecord, 'vouch'> {
  return vouch === undefined ? {} : { vouch };
}
