import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PEERS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { CostBounds } from './cost-bounds.ts';
import { type Host, startHost } from './host.ts';
import { createIdentity, HostileMember } from './hostile-member.ts';
import { unfinishedBodies } from './unfinished-bodies.ts';

let host: Host;
let enemy: HostileMember;
let friend: HostileMember;
let endpoint: string;
let bounds: CostBounds;

beforeAll(async () => {
  host = await startHost();
  endpoint = `127.0.0.1:${host.peerPort}`;
  enemy = new HostileMember(await createIdentity('enemy'));
  friend = new HostileMember(await createIdentity('friend'));
  for (const member of [enemy, friend]) await member.join(await host.invited());
  for (let warm = 0; warm < 20; warm += 1) await submitted(friend, { cpu: '1m' });
  bounds = new CostBounds(host, (await host.cost()).rssMb);
}, 120_000);
afterAll(() => host?.stop());

const podOf = (uid: string, spec: object) => ({
  pod: { metadata: { name: `p-${uid}`, namespace: 'x', uid }, spec },
  virtualNode: 'headcut-x',
  objects: [],
});

let count = 0;

/** A pod that asks for this, in so many containers; what becomes of it. */
async function submitted(member: HostileMember, requests: object, containers = 1) {
  count += 1;
  const uid = `u${count}`;
  const all = Array.from({ length: containers }, (_, i) => ({ name: `c${i}`, image: 'x', resources: { requests } }));
  const late = systemClock.sleep(12_000).then(() => ({ status: -1, text: 'no answer' }));
  const body = podOf(uid, { containers: all });
  return Promise.race([member.call(endpoint, 'PUT', `/v1/pods/${uid}`, body), late]);
}

describe('one member cannot make the agent stand still', () => {
  test.each([
    ['an absurd amount', { cpu: '1e30000000' }, 1],
    ['absurd amounts in many containers', { cpu: '1e30000000', memory: '1e30000000' }, 2_000],
    ['less than nothing', { cpu: '-1000' }, 1],
    ['an amount of many digits', { cpu: '9'.repeat(100_000) }, 1],
    ['thousands of resources', Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`x.org/r${i}`, '1'])), 1],
  ])('by a pod that asks for %s, which is refused', async (_what, requests, containers) => {
    await bounds.within(async () => {
      const { status, text } = await submitted(enemy, requests, containers);
      expect(status === 200 ? JSON.parse(text) : { accepted: false }).toMatchObject({ accepted: false });
    });
  });

  test('by changing its record a hundred times', async () => {
    const changes = Array.from({ length: 100 }, (_, i) =>
      enemy.resigned({ incarnation: i + 2, endpoints: [`192.0.2.${i % 250}:7443`] }),
    );
    await bounds.within(
      async () => {
        for (const record of changes) await enemy.tell(endpoint, [record]);
        await systemClock.sleep(1_000);
      },
      { writes: 60, lines: 20 },
    );
  });

  test('by bodies that do not end', { timeout: 60_000 }, async () => {
    await bounds.within(
      async () => {
        const sockets = unfinishedBodies(enemy.identity, endpoint, 60);
        await systemClock.sleep(5_000);
        const { status } = await friend.call(endpoint, 'DELETE', '/v1/pods/none');
        expect(status, 'another member is answered meanwhile').toBe(200);
        for (const socket of sockets) socket.destroy();
      },
      { lines: 10 },
    );
  });

  test('by a roster in which each is vouched for by the next', async () => {
    const records = await enemy.chain(300);
    // As many newcomers as one may bring in become members, each with its object.
    await bounds.within(() => enemy.tell(endpoint, records), { writes: 2_000, lines: 20 });
  });

  test('and all others are served and counted afterwards', async () => {
    expect(await host.metrics()).toContain('headcut_peers');
    expect((await submitted(friend, { cpu: '1m' })).status).toBe(200);
    const peers = await host.client.list(PEERS);
    expect(peers.items.map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining(['enemy', 'friend']));
  });
});
