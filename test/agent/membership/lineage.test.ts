import { afterEach, describe, expect, it } from 'vitest';
import type { FederationObject } from '../../../src/core/membership/peer-object.ts';
import { createMember, vouchedBy } from '../../core/membership/member-fixture.ts';
import { eventually } from '../../peering/peer-server-fixture.ts';
import { joinThrough, StartedAgents, type TestAgent } from './federation-fixture.ts';

const agents = new StartedAgents();
afterEach(agents.stopAll);

const names = (agent: TestAgent): string[] =>
  agent.peers
    .list()
    .map((link) => link.name)
    .sort();
const settings = (spec: NonNullable<FederationObject['spec']>) => ({ metadata: { name: 'headcut' }, spec });

/** A member that invented three, and of each one more. */
async function inventor() {
  const [a, bad] = [await agents.start('a'), await agents.start('bad')];
  await joinThrough(bad, a);
  await eventually(() => a.peers.get(bad.own.id)?.state === 'Connected');
  const fakes = await Promise.all(['f0', 'f1', 'f2'].map((name) => createMember(name)));
  const deep = await createMember('deep');
  const records = [...fakes.map((one) => vouchedBy(one, bad.cluster.identity)), vouchedBy(deep, fakes[0]!)];
  await a.rosters.tell(records, bad.own.id);
  expect(names(a)).toEqual(['bad', 'deep', 'f0', 'f1', 'f2']);
  return { a, bad, fakes, deep };
}

describe('who is banned', { timeout: 60_000 }, () => {
  it('with its newcomers takes along all that came in by its word, also later and through others', async () => {
    const { a, bad, fakes } = await inventor();
    const friend = await createMember('friend');
    await a.membership.admit(friend.record);
    a.cluster.federation = settings({ banned: [bad.own.id], bannedNewcomers: [bad.own.id] });
    await a.membership.reconsider();
    await eventually(() => names(a).length === 1);
    expect(names(a)).toEqual(['friend']);
    const passedOn = { ...fakes[1]!.record, vouch: { ...vouchedBy(fakes[1]!, friend).vouch!, origin: bad.own.id } };
    await a.rosters.tell([passedOn], friend.id);
    expect(names(a)).toEqual(['friend']);
    a.cluster.federation = settings({
      banned: [bad.own.id],
      bannedNewcomers: [bad.own.id],
      approved: [fakes[1]!.id],
    });
    await a.membership.reconsider();
    await a.rosters.tell([passedOn], friend.id);
    expect(names(a)).toEqual(['f1', 'friend']);
  });

  it('leaves members that this one does not vouch for', async () => {
    const { a, bad, fakes } = await inventor();
    a.cluster.federation = settings({ banned: [bad.own.id] });
    await a.membership.reconsider();
    await eventually(() => !names(a).includes('bad'));
    const told = a.rosters.records().filter(({ name }) => name.startsWith('f'));
    expect(told.map(({ vouch }) => vouch?.by)).toEqual(fakes.map(() => bad.own.id));
  });
});

describe('members whose inviter left', { timeout: 60_000 }, () => {
  it('are vouched for by the others, who say whose word that is', async () => {
    const { a, bad, fakes } = await inventor();
    await bad.leave();
    await eventually(() => !names(a).includes('bad'));
    await eventually(() => a.rosters.records().some(({ vouch }) => vouch?.origin === bad.own.id));
    const told = a.rosters.records().filter(({ name }) => ['f0', 'f1', 'f2'].includes(name));
    expect(told.map(({ vouch }) => [vouch?.by, vouch?.origin])).toEqual(fakes.map(() => [a.own.id, bad.own.id]));
    const c = await agents.start('c');
    await joinThrough(c, a);
    expect(c.membership.cameThrough(fakes[1]!.id)).toEqual([a.own.id, bad.own.id]);
    expect(names(c)).toContain('deep');
  });
});

describe('newcomers above the limit', { timeout: 60_000 }, () => {
  it('wait for approval, say why, and come in when the limit is raised', async () => {
    const { a, bad } = await inventor();
    a.cluster.federation = settings({ vouchedLimit: 10 });
    const more = await Promise.all(['g0', 'g1', 'g2', 'g3', 'g4', 'g5'].map((name) => createMember(name)));
    const records = more.map((one) => vouchedBy(one, bad.cluster.identity));
    await a.rosters.tell(records, bad.own.id);
    await a.rosters.tell(records, bad.own.id);
    expect(names(a)).toHaveLength(9);
    expect(a.gate.pending().map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^bad and those/),
      expect.stringMatching(/^bad and those/),
    ]);
    const [waiting, other] = a.gate.pending();
    a.cluster.federation = settings({ vouchedLimit: 10, approved: [waiting!.id] });
    await a.membership.reconsider();
    expect(a.peers.get(waiting!.id)).toBeDefined();
    a.cluster.federation = settings({ vouchedLimit: 20, approved: [waiting!.id] });
    await a.membership.reconsider();
    expect(a.peers.get(other!.id)).toBeDefined();
    expect(a.gate.pending()).toEqual([]);
  });
});

describe('newcomers that wait', { timeout: 60_000 }, () => {
  it('are members at once where this cluster joins a federation that has them', async () => {
    const { a, fakes } = await inventor();
    const b = await agents.start('b');
    b.cluster.federation = settings({ admission: 'Manual' });
    await joinThrough(a, b);
    await b.rosters.tell(a.rosters.records(), a.own.id);
    expect(b.gate.pending().map(({ name }) => name)).toEqual(['bad']);
    await joinThrough(b, a);
    expect(b.membership.cameThrough(fakes[0]!.id)).not.toEqual([]);
    expect(b.gate.pending()).toEqual([]);
  });
});

describe('a member from a backup', { timeout: 60_000 }, () => {
  it('goes on from the newest record that others know of it, and is heard again', async () => {
    const [a, b] = [await agents.start('a'), await agents.start('b')];
    await joinThrough(b, a);
    const backup = { ...b.cluster.kept };
    for (let i = 0; i < 5; i += 1) await b.own.refresh(settings({ name: `b-${i}` }));
    await eventually(() => a.rosters.records().some(({ name }) => name === 'b-4'));
    const newest = b.own.record().incarnation;
    await agents.stop(b);
    b.cluster.kept = backup;
    const restored = await agents.start(b.cluster);
    await eventually(() => restored.own.record().incarnation > newest);
    await restored.own.refresh(settings({ name: 'restored' }));
    await eventually(() => a.rosters.records().some(({ name }) => name === 'restored'));
  });

  it('of the time before it left joins again, and is heard', async () => {
    const [a, b, c] = [await agents.start('a'), await agents.start('b'), await agents.start('c')];
    await joinThrough(b, a);
    await joinThrough(c, a);
    await eventually(() => c.peers.get(b.own.id)?.state === 'Connected');
    const backup = { ...b.cluster.kept };
    for (let i = 0; i < 5; i += 1) await b.own.refresh(settings({ name: `b-${i}` }));
    await b.leave();
    await eventually(() => names(a).length === 1 && names(c).length === 1);
    await agents.stop(b);
    b.cluster.kept = backup;
    const restored = await agents.start(b.cluster);
    await restored.own.rejoin();
    await a.membership.admit(restored.own.record());
    // As the join desk answers.
    const lastWord = a.rosters.told().filter(({ id, left }) => id === restored.own.id && left === true);
    expect(lastWord).toHaveLength(1);
    await restored.membership.accept([...a.rosters.records(), ...lastWord], a.own.id);
    await eventually(() => a.peers.get(restored.own.id)?.state === 'Connected');
    await eventually(() => c.peers.get(restored.own.id)?.state === 'Connected');
  });

  it('of the time before it replaced its key says that it is an old copy', async () => {
    const [a, b] = [await agents.start('a'), await agents.start('b')];
    await joinThrough(b, a);
    const { identity, kept } = b.cluster;
    const backup = { ...b.cluster, identity: { ...identity }, kept: { ...kept } };
    await b.rotateKey();
    const newest = b.own.record();
    await agents.stop(b);
    const restored = await agents.start(backup);
    await restored.rosters.tell([newest], a.own.id);
    expect(restored.own.isOldCopy).toBe(true);
    expect(restored.own.record().certificate).not.toBe(newest.certificate);
  });
});
