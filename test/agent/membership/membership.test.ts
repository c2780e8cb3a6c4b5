import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../peering/peer-server-fixture.ts';
import { createRelay, type Relay } from '../../peering/relay.ts';
import { FakePeerObjects } from './fake-peer-objects.ts';
import { createCluster, fastClock, joinThrough, StartedAgents, type TestAgent } from './federation-fixture.ts';

const agents = new StartedAgents();
const { start, stop } = agents;
const relays = new Set<Relay>();

afterEach(async () => {
  await agents.stopAll();
  for (const relay of relays) relay.close();
  relays.clear();
});

/** Members by state, as `name=State`, sorted. */
const seenBy = (agent: TestAgent): string =>
  agent.peers
    .list()
    .map((link) => `${link.name}=${link.state}`)
    .sort()
    .join(' ');

const see = (agent: TestAgent, wanted: string) => eventually(() => seenBy(agent) === wanted);

async function three(): Promise<[TestAgent, TestAgent, TestAgent]> {
  const agents: [TestAgent, TestAgent, TestAgent] = [await start('a'), await start('b'), await start('c')];
  const [a, b, c] = agents;
  await joinThrough(b, a);
  await joinThrough(c, a);
  await see(a, 'b=Connected c=Connected');
  await see(b, 'a=Connected c=Connected');
  await see(c, 'a=Connected b=Connected');
  return agents;
}

describe('membership', { timeout: 60_000 }, () => {
  it('makes three clusters know each other by two joins', async () => {
    await three();
  });

  it('reaches everybody also when each joins through the one before', async () => {
    const [a, b, c, d] = [await start('a'), await start('b'), await start('c'), await start('d')];
    await joinThrough(b, a);
    await joinThrough(c, b);
    await joinThrough(d, c);
    for (const agent of [a, b, c, d]) {
      await eventually(() => agent.peers.list().filter((link) => link.state === 'Connected').length === 3);
    }
  });

  it('ends with one peering when two clusters join each other at once', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await Promise.all([joinThrough(a, b), joinThrough(b, a)]);
    await see(a, 'b=Connected');
    await see(b, 'a=Connected');
    expect([a.cluster.peers.list().length, b.cluster.peers.list().length]).toEqual([1, 1]);
  });

  it('tells members of the same name apart, each under a name that stays', async () => {
    const [a, b, c] = [await start('a'), await start('same'), await start('same')];
    await joinThrough(b, a);
    await joinThrough(c, a);
    await see(a, `same-${c.own.id.slice(0, 6)}=Connected same=Connected`);
  });

  it('writes nothing while nothing changes', async () => {
    const agents = await three();
    await fastClock.sleep(300);
    const writes = () => agents.map((agent) => agent.cluster.peers.writes);
    const before = writes();
    await fastClock.sleep(1_500);
    expect(writes()).toEqual(before);
  });

  it('has all pods only once they were told in the present connection', async () => {
    const [a, b] = [await start('a'), await start('b')];
    b.source.pods = undefined;
    await joinThrough(b, a);
    await see(a, 'b=Connected');
    const link = a.peers.get(b.own.id);
    expect(link?.podsSynced).toBe(false);
    b.source.pods = [{ uid: 'u', namespace: 'n', name: 'p', deleting: false }];
    b.source.change('pods');
    await eventually(() => link?.podsSynced === true);
    expect([...(link?.pods.keys() ?? [])]).toEqual(['u']);
    await stop(b);
    await eventually(() => link?.podsSynced === false);
    expect([...(link?.pods.keys() ?? [])]).toEqual(['u']);
  });

  it('notices within about three seconds that a peer went silent, and that it is back', async () => {
    const clusters = [await createCluster('a'), await createCluster('b')] as const;
    const ways = await Promise.all(clusters.map((cluster) => createRelay(() => cluster.port)));
    for (const [i, way] of ways.entries()) {
      relays.add(way);
      for (const cluster of clusters.slice(i, i + 1)) cluster.advertised = way.port;
    }
    const [a, b] = [await start(clusters[0]), await start(clusters[1])];
    await joinThrough(b, a);
    await see(a, 'b=Connected');
    const silentSince = fastClock.monotonic();
    for (const way of ways) way.freeze();
    await see(a, 'b=Unreachable');
    expect(fastClock.monotonic() - silentSince).toBeLessThan(4_000);
    await see(b, 'a=Unreachable');
    await expect(
      a.peers.get(b.own.id)?.call('deletePod', { params: { uid: 'u' }, query: { gracePeriodSeconds: 0 } }),
    ).rejects.toMatchObject({ code: 'Unavailable' });
    for (const way of ways) way.thaw();
    await see(a, 'b=Connected');
    await see(b, 'a=Connected');
    expect(a.changes).not.toContain('b removed');
  });

  it('needs one connection a pair, which either side may open', async () => {
    const [a, b] = [await start('a'), await createCluster('b')];
    // Nobody can connect to b.
    const behind = await start({ ...b, advertised: 1 });
    await joinThrough(behind, a);
    await see(a, 'b=Connected');
    await see(behind, 'a=Connected');
    const signal = AbortSignal.timeout(5_000);
    for (const [from, to] of [
      [a, behind],
      [behind, a],
    ] as const) {
      const stream = await from.peers.get(to.own.id)?.stream('packets', {}, signal);
      stream?.write('!');
      let received = '';
      stream?.on('data', (bytes: Buffer) => {
        received += bytes.toString();
      });
      await eventually(() => received === `${from.own.id}?:!`);
      stream?.destroy();
    }
  });

  it('has room for what is its own, however many connections of others it carries', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await joinThrough(b, a);
    await see(a, 'b=Connected');
    const link = a.peers.get(b.own.id);
    const carry = () =>
      link?.stream('relayed', { from: b.own.id }, AbortSignal.timeout(20_000)).catch((error) => error.code);
    const carried = [];
    for (let i = 0; i < 64; i += 1) carried.push(await carry());
    expect(carried.filter((one) => one === 'ResourceExhausted')).toHaveLength(4);
    const own = await link?.stream('packets', {}, AbortSignal.timeout(20_000));
    expect(own?.destroyed).toBe(false);
    for (const stream of [own, ...carried]) if (typeof stream !== 'string') stream?.destroy();
  });

  it('goes through a third member where two cannot reach each other, and directly again once they can', async () => {
    const hidden = await Promise.all(
      ['b', 'c'].map(async (name) => ({ ...(await createCluster(name)), advertised: 1 })),
    );
    const a = await start('a');
    const [b, c] = [await start(hidden[0] ?? ''), await start(hidden[1] ?? '')];
    await joinThrough(b, a);
    await joinThrough(c, a);
    await see(b, 'a=Connected c=Connected');
    await see(c, 'a=Connected b=Connected');
    expect([b.peers.get(c.own.id)?.status.via, c.peers.get(b.own.id)?.status.via]).toEqual([a.own.id, a.own.id]);
    expect(a.peers.get(b.own.id)?.status.via).toBeUndefined();
    const stream = await b.peers.get(c.own.id)?.stream('packets', {}, AbortSignal.timeout(5_000));
    let received = 0;
    stream?.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    const bytes = 2 * 1024 * 1024;
    stream?.write(Buffer.alloc(bytes));
    await eventually(() => received === bytes + `${b.own.id}?:`.length);
    stream?.destroy();
    await c.own.refresh({ metadata: { name: 'headcut' }, spec: { endpoints: [`127.0.0.1:${c.cluster.port}`] } });
    await eventually(() => b.peers.get(c.own.id)?.status.via === undefined, 40_000);
    await see(b, 'a=Connected c=Connected');
  });

  it('carries many calls at once against the direction of the connection', async () => {
    const [a, b] = [await start('a'), await start({ ...(await createCluster('b')), advertised: 1 })];
    await joinThrough(b, a);
    await see(a, 'b=Connected');
    const link = a.peers.get(b.own.id);
    const calls = Array.from({ length: 60 }, (_, i) =>
      link?.call('deletePod', { params: { uid: `u${i}` }, query: { gracePeriodSeconds: 0 } }),
    );
    expect((await Promise.all(calls)).length).toBe(60);
  });

  it('keeps a peer that restarts on purpose suspect, not unreachable', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await joinThrough(b, a);
    await see(a, 'b=Connected');
    await stop(b);
    await fastClock.sleep(4_000);
    expect(seenBy(a)).toBe('b=Suspect');
    await start(b.cluster);
    await see(a, 'b=Connected');
    expect(a.changes).not.toContain('b removed');
  });

  it('leaves what it wrote about a peer as it is when it starts before the peer does', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await joinThrough(b, a);
    await see(a, 'b=Connected');
    await a.cluster.peers.patch(undefined, { name: 'b' }, { status: { state: 'Connected' } });
    await Promise.all([stop(a), stop(b)]);
    const again = await start(a.cluster);
    await fastClock.sleep(4_000);
    expect(seenBy(again)).toBe('b=Suspect');
    await start(b.cluster);
    await see(again, 'b=Connected');
  });

  it('does not wait for a peer that was unreachable before it started', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await joinThrough(b, a);
    await see(a, 'b=Connected');
    await a.cluster.peers.patch(undefined, { name: 'b' }, { status: { state: 'Unreachable' } });
    await Promise.all([stop(a), stop(b)]);
    const again = await start(a.cluster);
    await fastClock.sleep(4_000);
    expect(seenBy(again)).toBe('b=Unreachable');
  });

  it('drops a member whose Peer object is deleted, and does not believe others about it, also after a restart', async () => {
    const [a, b, c] = await three();
    a.cluster.peers.remove('c');
    await see(a, 'b=Connected');
    await see(c, 'a=Unreachable b=Connected');
    await eventually(() => c.peers.get(a.own.id)?.status.problem?.includes('if it was forgotten there') === true);
    await stop(a);
    const again = await start(a.cluster);
    await see(again, 'b=Connected');
    await see(b, 'a=Connected c=Connected');
    await fastClock.sleep(500);
    expect(seenBy(again)).toBe('b=Connected');
    await joinThrough(c, again);
    await see(again, 'b=Connected c=Connected');
  });

  it('takes nobody for gone whose record was spoiled, and has it put right by another member', async () => {
    const [a, b, c] = await three();
    await stop(a);
    await stop(b);
    a.cluster.peers.spoil('c');
    // It needs no approval: it is a member.
    a.cluster.federation = { metadata: { name: 'headcut' }, spec: { admission: 'Manual' } };
    const again = await start(a.cluster);
    await eventually(() => again.membership.unusable(c.own.id) !== undefined);
    await fastClock.sleep(500);
    expect(['Suspect', 'Unreachable']).toContain(again.peers.get(c.own.id)?.state);
    await start(b.cluster);
    await see(again, 'b=Connected c=Connected');
    expect(again.membership.unusable(c.own.id)).toBeUndefined();
  });

  it('puts the record of a member that it knows right by itself', async () => {
    const [a, , c] = await three();
    const { writes } = a.cluster.peers;
    a.cluster.peers.spoil('c');
    await eventually(() => a.cluster.peers.get('c')?.spec.endpoints[0] !== '192.0.2.1:7443');
    expect(a.cluster.peers.writes).toBe(writes + 2);
    expect(a.cluster.peers.get('c')?.spec.endpoints).toEqual(c.own.record().endpoints);
    expect(seenBy(a)).toBe('b=Connected c=Connected');
  });

  it('forgets whom it is told to forget, also where the record was spoiled', async () => {
    const [a, b, c] = await three();
    await stop(a);
    a.cluster.peers.spoil('c');
    await stop(b);
    const again = await start(a.cluster);
    await eventually(() => again.membership.unusable(c.own.id) !== undefined);
    a.cluster.peers.remove('c');
    await eventually(() => again.peers.get(c.own.id) === undefined);
    await start(b.cluster);
    await see(again, 'b=Connected');
    await fastClock.sleep(500);
    expect(seenBy(again)).toBe('b=Connected');
  });

  it('begins anew for who leaves: whom it forgot before may come to know it again by others', async () => {
    const [a, b, c] = await three();
    a.cluster.peers.remove('c');
    b.cluster.peers.remove('c');
    await see(a, 'b=Connected');
    await a.leave();
    await see(b, '');
    await joinThrough(a, b);
    await see(a, 'b=Connected');
    await c.leave();
    await joinThrough(c, b);
    await see(a, 'b=Connected c=Connected');
  });

  it('ends for a member with its own last word, which reaches also who was away, and no old roster brings it back', async () => {
    const [a, b, c] = await three();
    const before = c.own.record();
    await stop(b);
    await c.leave();
    await eventually(() => a.peers.get(c.own.id) === undefined);
    expect(seenBy(c)).toBe('');
    const again = await start(b.cluster);
    await see(again, 'a=Connected');
    await a.rosters.tell([before], again.own.id);
    await again.rosters.tell([before], a.own.id);
    await see(a, 'b=Connected');
    await see(again, 'a=Connected');
    await joinThrough(c, a);
    await see(again, 'a=Connected c=Connected');
    await see(c, 'a=Connected b=Connected');
  });

  it('lets nobody in on the word of others where admission is manual, until it is approved', async () => {
    const cluster = await createCluster('b');
    cluster.federation = { metadata: { name: 'headcut' }, spec: { admission: 'Manual' } };
    const [a, b, c] = [await start('a'), await start(cluster), await start('c')];
    await joinThrough(b, a);
    await see(b, 'a=Connected');
    await joinThrough(c, a);
    await eventually(() => b.gate.pending().length === 1);
    expect(b.gate.pending()).toEqual([{ id: c.own.id, name: 'c', vouchedBy: a.own.id }]);
    expect(seenBy(b)).toBe('a=Connected');
    cluster.federation = { metadata: { name: 'headcut' }, spec: { admission: 'Manual', approved: [c.own.id] } };
    await b.membership.reconsider();
    await see(b, 'a=Connected c=Connected');
    expect(b.gate.pending()).toEqual([]);
  });

  it('keeps a banned cluster out, whoever vouches for it, until it is unbanned and invited again', async () => {
    const [a, b, c] = await three();
    const banned = { metadata: { name: 'headcut' }, spec: { banned: [c.own.id] } };
    a.cluster.federation = banned;
    await a.membership.reconsider();
    await see(a, 'b=Connected');
    await see(c, 'a=Unreachable b=Connected');
    await expect(joinThrough(c, a)).rejects.toMatchObject({
      code: 'FailedPrecondition',
      message: `a banned the cluster c; headcut unban ${c.own.id.slice(0, 12)} on a ends that`,
    });
    await joinThrough(c, b);
    await stop(a);
    const again = await start(a.cluster);
    await see(again, 'b=Connected');
    again.cluster.federation = { metadata: { name: 'headcut' }, spec: {} };
    await again.membership.reconsider();
    await fastClock.sleep(500);
    expect(seenBy(again)).toBe('b=Connected');
    await joinThrough(c, again);
    await see(again, 'b=Connected c=Connected');
  });

  it('removes a member that was banned while the agent was away', async () => {
    const [a, b] = await three();
    await stop(a);
    a.cluster.federation = { metadata: { name: 'headcut' }, spec: { banned: [b.own.id] } };
    const again = await start(a.cluster);
    await see(again, 'c=Connected');
    expect(again.cluster.peers.list().map((peer) => peer.metadata.name)).toEqual(['c']);
  });

  it('makes one federation of two by one invitation', async () => {
    const [a, b, x, y] = [await start('a'), await start('b'), await start('x'), await start('y')];
    await joinThrough(b, a);
    await joinThrough(y, x);
    await see(b, 'a=Connected');
    await see(y, 'x=Connected');
    await joinThrough(x, a);
    await see(a, 'b=Connected x=Connected y=Connected');
    await see(b, 'a=Connected x=Connected y=Connected');
    await see(x, 'a=Connected b=Connected y=Connected');
    await see(y, 'a=Connected b=Connected x=Connected');
  });

  it('reports a cloned machine on the others, and stays with the agent that was there first', async () => {
    const [a, b] = [await start('a'), await start('b')];
    await joinThrough(b, a);
    await see(a, 'b=Connected');
    const copy = { ...b.cluster, port: 0, peers: new FakePeerObjects(), kept: { ...b.cluster.kept } };
    const clone = await start(copy);
    await clone.membership.accept([a.own.record()], a.own.id);
    await eventually(() => a.peers.get(b.own.id)?.status.cloned === true);
    await see(a, 'b=Connected');
    await see(b, 'a=Connected');
    expect(seenBy(clone)).not.toBe('a=Connected');
  });

  it('spreads a changed record of a member to all', async () => {
    const [a, b, c] = await three();
    const { endpoints } = a.own.record();
    await a.own.refresh({
      metadata: { name: 'headcut' },
      spec: { name: 'renamed', endpoints: [...endpoints, '192.0.2.1:1'] },
    });
    for (const agent of [b, c]) {
      await eventually(() => agent.cluster.peers.get('a')?.spec.name === 'renamed');
    }
    expect(a.own.record().incarnation).toBeGreaterThan(1);
  });

  it('is complete again without a human when one was away while all others moved to new addresses', async () => {
    const [a, b, c] = await three();
    await stop(c);
    const atOtherPort = async (agent: TestAgent): Promise<TestAgent> => {
      await stop(agent);
      agent.cluster.port = 0;
      return start(agent.cluster);
    };
    const movedA = await atOtherPort(a);
    const movedB = await atOtherPort(b);
    const back = await start(c.cluster);
    await see(movedA, 'b=Connected c=Connected');
    await see(movedB, 'a=Connected c=Connected');
    await see(back, 'a=Connected b=Connected');
    await eventually(() => back.cluster.peers.get('a')?.spec.endpoints?.[0] === `127.0.0.1:${movedA.cluster.port}`);
  });

  it.each(['stream', 'dedicatedStream'] as const)('carries raw streams between two agents: %s', async (open) => {
    const [a, b] = await three();
    const signal = AbortSignal.timeout(5_000);
    const stream = await a.peers.get(b.own.id)?.[open]('packets', { direct: '1' }, signal);
    if (stream === undefined) throw new Error('b is no member of a');
    let received = '';
    stream.on('data', (bytes: Buffer) => {
      received += bytes.toString();
    });
    stream.write('hello');
    await eventually(() => received === `${a.own.id}?direct=1:hello`);
    stream.destroy();
  });

  it('says why a raw stream is refused', async () => {
    const [a, b] = await three();
    const open = (direct: string) => a.peers.get(b.own.id)?.stream('packets', { direct }, AbortSignal.timeout(5_000));
    await expect(open('refuse')).rejects.toMatchObject({ code: 'Forbidden', message: 'not for you' });
    await expect(open('x'.repeat(100))).rejects.toMatchObject({ code: 'InvalidArgument' });
  });
});
