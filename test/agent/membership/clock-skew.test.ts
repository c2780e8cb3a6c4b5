import { afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../../peering/peer-server-fixture.ts';
import { createCluster, fastClock, joinThrough, StartedAgents, type TestAgent } from './federation-fixture.ts';

const HOUR_MS = 3_600_000;

const agents = new StartedAgents();
const { start, stop } = agents;
afterEach(agents.stopAll);

const link = (agent: TestAgent, peer: TestAgent) => agent.peers.get(peer.own.id);
const connected = (agent: TestAgent, peer: TestAgent) => eventually(() => link(agent, peer)?.state === 'Connected');

describe.each([
  ['ahead', HOUR_MS],
  ['behind', -HOUR_MS],
])('a member whose clock is an hour %s', { timeout: 60_000 }, (_how, skewMs) => {
  test('joins, stays connected, is told how wrong it is, leaves and joins again', async () => {
    const [a, b] = [await start(await createCluster('a')), await start(await createCluster('b', skewMs))];
    await joinThrough(b, a);
    await Promise.all([connected(a, b), connected(b, a)]);
    await eventually(
      () => link(a, b)?.status.clockSkewMs !== undefined && link(b, a)?.status.clockSkewMs !== undefined,
    );
    expect(Math.abs((link(a, b)?.status.clockSkewMs ?? 0) - skewMs)).toBeLessThan(60_000);
    expect(Math.abs((link(b, a)?.status.clockSkewMs ?? 0) + skewMs)).toBeLessThan(60_000);
    a.changes.length = 0;
    // Several times the silence after which a peer is suspected.
    await fastClock.sleep(10_000);
    await connected(a, b);
    // A machine that is busy with other tests may miss a heartbeat, which is suspected and believed again.
    expect(a.changes.filter((change) => change.endsWith('state')).length).toBeLessThanOrEqual(2);
    await b.leave();
    await eventually(() => link(a, b) === undefined);
    await joinThrough(b, a);
    await Promise.all([connected(a, b), connected(b, a)]);
  });

  test('is believed also after its clock was set right', async () => {
    const [a, b] = [await start(await createCluster('a')), await start(await createCluster('b', skewMs))];
    await joinThrough(b, a);
    await Promise.all([connected(a, b), connected(b, a)]);
    await stop(b);
    const again = await start({
      ...b.cluster,
      skewMs: 0,
      federation: { metadata: { name: 'headcut' }, spec: { name: 'renamed' } },
    });
    await again.own.refresh(again.cluster.federation);
    await Promise.all([connected(a, again), connected(again, a)]);
    await eventually(() => a.rosters.records().some((record) => record.name === 'renamed'));
    await eventually(() => Math.abs(link(a, again)?.status.clockSkewMs ?? skewMs) < 60_000);
  });
});
