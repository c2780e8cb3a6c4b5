import { afterEach, describe, expect, it } from 'vitest';
import { createMember, resigned, vouchedBy, withNextKey } from '../../core/membership/member-fixture.ts';
import { eventually } from '../../peering/peer-server-fixture.ts';
import { FakePeerObjects } from './fake-peer-objects.ts';
import {
  createCluster,
  fastClock,
  joinThrough,
  StartedAgents,
  type TestAgent,
  type TestCluster,
} from './federation-fixture.ts';

const agents = new StartedAgents();
const { start, stop } = agents;

afterEach(agents.stopAll);

const link = (agent: TestAgent, peer: TestAgent) => agent.peers.get(peer.own.id);
const connected = (agent: TestAgent, peer: TestAgent) => eventually(() => link(agent, peer)?.state === 'Connected');
/** By the present keys of both. */
const renewed = (agent: TestAgent, peer: TestAgent, generations: { own: number; peer: number }) =>
  eventually(() => {
    const keys = link(agent, peer)?.status.keyGenerations;
    return keys?.own === generations.own && keys.peer === generations.peer;
  });

async function federation(...clusters: (TestCluster | string)[]): Promise<TestAgent[]> {
  const agents: TestAgent[] = [];
  for (const cluster of clusters) agents.push(await start(cluster));
  const [first, ...others] = agents as [TestAgent, ...TestAgent[]];
  for (const one of others) await joinThrough(one, first);
  for (const one of agents) for (const peer of agents) if (peer !== one) await connected(one, peer);
  return agents;
}

/** States other than Connected that any of them saw of a peer from now on. */
function watchTrouble(agents: TestAgent[]): string[] {
  const seen: string[] = [];
  for (const agent of agents)
    agent.peers.onChange((id, change) => {
      const peer = agent.peers.get(id);
      if (change === 'state' && peer?.state !== 'Connected')
        seen.push(`${agent.cluster.name}: ${peer?.name} ${peer?.state}`);
    });
  return seen;
}

/** Calls `to` from `from` all the time. @returns what went wrong, once stopped */
function keepCalling(from: TestAgent, to: TestAgent): () => Promise<string[]> {
  const errors: string[] = [];
  let calls = 0;
  let isOver = false;
  const done = (async () => {
    while (!isOver) {
      await link(from, to)
        ?.call('deletePod', { params: { uid: `u${calls}` }, query: { gracePeriodSeconds: 0 } })
        .catch((error: Error) => errors.push(error.message));
      calls += 1;
      await fastClock.sleep(20);
    }
  })();
  return async () => {
    isOver = true;
    await done;
    expect(calls).toBeGreaterThan(10);
    return errors;
  };
}

describe('a member that replaces its key', { timeout: 90_000 }, () => {
  it('keeps its ID, and nobody notices: no call fails, no peer is suspected, and all use the new key', async () => {
    const [a, b, c] = (await federation('a', 'b', 'c')) as [TestAgent, TestAgent, TestAgent];
    const trouble = watchTrouble([a, b, c]);
    const callers = [keepCalling(a, b), keepCalling(b, a), keepCalling(b, c), keepCalling(c, b)];
    const before = b.own.record();
    await fastClock.sleep(500);
    await b.rotateKey();
    await Promise.all([renewed(a, b, { own: 0, peer: 1 }), renewed(c, b, { own: 0, peer: 1 })]);
    await Promise.all([renewed(b, a, { own: 1, peer: 0 }), renewed(b, c, { own: 1, peer: 0 })]);
    for (const agent of [a, c])
      await eventually(() => agent.cluster.peers.get('b')?.spec.certificate === b.own.record().certificate);
    await fastClock.sleep(1_000);
    expect((await Promise.all(callers.map((end) => end()))).flat()).toEqual([]);
    expect(trouble).toEqual([]);
    expect(b.own.record()).toMatchObject({ id: before.id, incarnation: before.incarnation + 1 });
    expect([link(b, a)?.status.ownKeyProven, link(b, c)?.status.ownKeyProven]).toEqual([1, 1]);
  });

  it('may do so again and again, and all at once', async () => {
    const [a, b, c] = (await federation('a', 'b', 'c')) as [TestAgent, TestAgent, TestAgent];
    await Promise.all([a.rotateKey(), b.rotateKey(), c.rotateKey()]);
    await a.rotateKey();
    await Promise.all([renewed(a, b, { own: 2, peer: 1 }), renewed(b, c, { own: 1, peer: 1 })]);
    await Promise.all([renewed(c, a, { own: 1, peer: 2 }), renewed(b, a, { own: 1, peer: 2 })]);
    for (const [one, other] of [
      [a, b],
      [b, c],
      [c, a],
    ] as const)
      await connected(one, other);
  });

  it('is known at first contact to a member that was away, also if nobody else could tell it', async () => {
    const [a, b] = (await federation('a', 'b')) as [TestAgent, TestAgent];
    await stop(b);
    await a.rotateKey();
    await a.rotateKey();
    const again = await start(b.cluster);
    await Promise.all([connected(a, again), connected(again, a)]);
    await eventually(() => again.cluster.peers.get('a')?.spec.certificate === a.own.record().certificate);
  });

  it('is known after its own restart, and so are two that both replaced theirs while apart', async () => {
    const [a, b] = (await federation('a', 'b')) as [TestAgent, TestAgent];
    await stop(b);
    await a.rotateKey();
    await stop(a);
    const b2 = await start(b.cluster);
    await b2.rotateKey();
    const a2 = await start(a.cluster);
    await Promise.all([renewed(a2, b2, { own: 1, peer: 1 }), renewed(b2, a2, { own: 1, peer: 1 })]);
  });

  it('is called anew by members to which it cannot connect, and through third ones', async () => {
    const hidden = async (name: string) => ({ ...(await createCluster(name)), advertised: 1 });
    const agents = await federation('a', await hidden('b'), await hidden('c'));
    const [a, b, c] = agents as [TestAgent, TestAgent, TestAgent];
    expect(link(b, c)?.status.via).toBe(a.own.id);
    const trouble = watchTrouble(agents);
    await a.rotateKey();
    await Promise.all([renewed(a, b, { own: 1, peer: 0 }), renewed(a, c, { own: 1, peer: 0 })]);
    await b.rotateKey();
    await Promise.all([renewed(a, b, { own: 1, peer: 1 }), renewed(c, b, { own: 0, peer: 1 })]);
    await fastClock.sleep(1_000);
    expect(trouble.filter((line) => line.endsWith('Unreachable'))).toEqual([]);
  });

  it('ends connections by the old key after a time of grace', async () => {
    const [a, b] = (await federation('a', 'b')) as [TestAgent, TestAgent];
    const open = () => link(a, b)?.stream('packets', {}, AbortSignal.timeout(5_000));
    const stream = await open();
    const alone = await link(a, b)?.dedicatedStream('packets', {}, AbortSignal.timeout(5_000));
    await b.rotateKey();
    await renewed(a, b, { own: 0, peer: 1 });
    expect([stream?.destroyed, alone?.destroyed]).toEqual([false, false]);
    await eventually(() => stream?.destroyed === true && alone?.destroyed === true, 30_000);
    const next = await open();
    next?.destroy();
    expect(link(a, b)?.state).toBe('Connected');
  });

  it('goes on to let newcomers in, whom the others accept on its word', async () => {
    const [a, b] = (await federation('a', 'b')) as [TestAgent, TestAgent];
    await a.rotateKey();
    const c = await start('c');
    await joinThrough(c, a);
    await Promise.all([connected(b, c), connected(c, b)]);
    const d = await start('d');
    await joinThrough(d, b);
    await Promise.all([connected(a, d), connected(d, a)]);
  });

  it('has newcomers of before it, who wait elsewhere, still come in when they are approved', async () => {
    const manual = await createCluster('b');
    manual.federation = { metadata: { name: 'headcut' }, spec: { admission: 'Manual' } };
    const [a, b] = (await federation('a', manual)) as [TestAgent, TestAgent];
    const c = await start('c');
    await joinThrough(c, a);
    await eventually(() => b.gate.pending().length === 1);
    await a.rotateKey();
    await renewed(b, a, { own: 0, peer: 1 });
    manual.federation = { metadata: { name: 'headcut' }, spec: { admission: 'Manual', approved: [c.own.id] } };
    await eventually(() => {
      void b.membership.reconsider();
      return link(b, c)?.state === 'Connected';
    });
  });

  it('is banned and forgotten by its ID as before', async () => {
    const [a, b, c] = (await federation('a', 'b', 'c')) as [TestAgent, TestAgent, TestAgent];
    await c.rotateKey();
    await Promise.all([renewed(a, c, { own: 0, peer: 1 }), renewed(b, c, { own: 0, peer: 1 })]);
    a.cluster.federation = { metadata: { name: 'headcut' }, spec: { banned: [c.own.id] } };
    await a.membership.reconsider();
    b.cluster.peers.remove('c');
    await eventually(() => link(a, c) === undefined && link(b, c) === undefined);
    await c.rotateKey();
    await fastClock.sleep(2_000);
    expect([link(a, c), link(b, c)]).toEqual([undefined, undefined]);
  });
});

describe('who stole a key', { timeout: 90_000 }, () => {
  const stolenFrom = ({ cluster }: TestAgent): TestCluster => ({
    ...cluster,
    identity: { ...cluster.identity },
    port: 0,
    peers: new FakePeerObjects(),
    kept: { record: cluster.kept.record, removed: [] },
  });

  it('gets in nowhere once it was replaced, and its records and vouchers are not believed', async () => {
    const [a, b, c] = (await federation('a', 'b', 'c')) as [TestAgent, TestAgent, TestAgent];
    const stolen = stolenFrom(b);
    const before = b.own.record();
    await b.rotateKey();
    await Promise.all([renewed(a, b, { own: 0, peer: 1 }), renewed(c, b, { own: 0, peer: 1 })]);
    await eventually(() => a.cluster.peers.get('b')?.spec.certificate === b.own.record().certificate);
    const thief = await start(stolen);
    await thief.membership.accept([a.own.record(), c.own.record()], a.own.id);
    await fastClock.sleep(3_000);
    expect(thief.peers.list().filter((one) => one.state === 'Connected')).toEqual([]);
    a.cluster.warnings.length = 0;
    const invented = await createMember('invented');
    const oldKey = { ...stolen.identity, record: before };
    const forged = resigned(oldKey, { incarnation: 1_000_000, endpoints: ['192.0.2.66:7443'] });
    await a.rosters.tell([before, forged, resigned(oldKey, { incarnation: 2_000_000, left: true })], c.own.id);
    await a.rosters.tell([vouchedBy(invented, oldKey)], c.own.id);
    expect(a.rosters.records().find(({ id }) => id === b.own.id)).toMatchObject(b.own.record());
    expect(link(a, b)?.state).toBe('Connected');
    expect(a.peers.get(invented.id)).toBeUndefined();
    expect(a.cluster.warnings).toEqual(['record of a member not believed', 'record of a member not believed']);
  });

  it('does not come back in the name of a member that left with a later one', async () => {
    const [a, b, c] = (await federation('a', 'b', 'c')) as [TestAgent, TestAgent, TestAgent];
    const stolen = { ...b.cluster.identity, record: b.own.record() };
    const voucher = a.rosters.records().find(({ id }) => id === b.own.id)?.vouch;
    await b.rotateKey();
    await eventually(() => a.cluster.peers.get('b')?.spec.certificate === b.own.record().certificate);
    await b.leave();
    await eventually(() => link(a, b) === undefined);
    const fork = await withNextKey(await withNextKey(stolen));
    const back = {
      ...resigned(fork, { incarnation: 1_000_000 }),
      ...(voucher === undefined ? {} : { vouch: voucher }),
    };
    await a.rosters.tell([back], c.own.id);
    expect(a.peers.get(b.own.id)).toBeUndefined();
  });

  it('is cut off when the owner comes with the next one, who is no clone', async () => {
    const [a, b] = (await federation('a', 'b')) as [TestAgent, TestAgent];
    await stop(b);
    const thief = await start(stolenFrom(b));
    await thief.membership.accept([a.own.record()], a.own.id);
    await connected(thief, a);
    const owner = await start(b.cluster);
    await fastClock.sleep(1_000);
    await owner.rotateKey();
    await renewed(a, owner, { own: 0, peer: 1 });
    await connected(owner, a);
    await eventually(() => link(thief, a)?.state === 'Unreachable');
    expect(link(a, owner)?.state).toBe('Connected');
  });
});
