import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { clusterIdOf } from '../../src/core/membership/cluster-id.ts';
import { signJoin } from '../../src/core/membership/signed-record.ts';
import { requestJoin } from '../../src/peering/join-client.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createSelfSigned } from '../../src/runtime/x509.ts';
import {
  createMember,
  flawedSuccessors,
  memberOf,
  type TestMember,
  withNextKey,
} from '../core/membership/member-fixture.ts';
import { connectAs, startServer, type TestClient, type TestServer } from './peer-server-fixture.ts';

let host: TestMember;
let friend: TestMember;
let stranger: TestMember;
let nextHost: TestMember;
let nextFriend: TestMember;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  host = await createMember('host');
  friend = await createMember('friend');
  stranger = await createMember('stranger');
  [nextHost, nextFriend] = await Promise.all([withNextKey(host), withNextKey(friend)]);
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Time of grace takes a second. */
const quickClock = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 30, signal),
};

async function start(...args: Parameters<typeof startServer>): Promise<TestServer> {
  const started = await startServer(...args);
  cleanups.push(() => started.server.close());
  return started;
}

function clientOf(member: TestMember, target: TestServer, pinned: TestMember): TestClient {
  const { client, close } = connectAs(member, target, pinned);
  cleanups.push(close);
  return client;
}

const call = (client: TestClient) =>
  client.ask({ method: 'DELETE', path: '/v1/pods/a', signal: AbortSignal.timeout(5_000) });
const refused = { code: 'Unavailable' };

/** Calls go on to work, until they do not. */
async function untilRefused(client: TestClient): Promise<void> {
  for (let i = 0; i < 200; i += 1) {
    const outcome = await call(client).catch((error: { code?: string }) => error.code);
    if (outcome === refused.code) return;
    await systemClock.sleep(50);
  }
  throw new Error('nobody ended the connection');
}

describe('a key that was replaced', () => {
  it('is followed by the next one at first contact, on both ends', async () => {
    const target = await start(nextHost, [friend]);
    await call(clientOf(friend, target, host));
    await call(clientOf(nextFriend, target, host));
    expect(target.provider.deleted.map(({ peerId }) => peerId)).toEqual([friend.id, friend.id]);
  });

  it('is believed no more once the next one is known, on either end', async () => {
    const target = await start(host, [nextFriend]);
    await expect(call(clientOf(friend, target, host))).rejects.toMatchObject(refused);
    await expect(call(clientOf(nextFriend, target, nextHost))).rejects.toMatchObject({
      cause: { message: expect.stringContaining('it showed a key that this member has replaced') },
    });
    expect(target.provider.deleted).toEqual([]);
    await call(clientOf(nextFriend, target, host));
  });

  it.each([
    'signed by another key',
    'with a hole',
    'without its first key',
    "with somebody else's key at its end",
    'that is cut off',
    'of more keys than there may be',
    'of bytes that are no keys',
    'that goes in a circle',
  ])('is not followed by a chain %s, in neither direction', async (flaw) => {
    const target = await start(host, [friend]);
    const bad = (await flawedSuccessors(friend, stranger))[flaw] as TestMember;
    await expect(call(clientOf(bad, target, host))).rejects.toMatchObject(refused);
    const badHost = (await flawedSuccessors(host, stranger))[flaw] as TestMember;
    const trap = await start(badHost, [friend]);
    await expect(call(clientOf(friend, trap, host))).rejects.toMatchObject(refused);
    expect([target.provider.deleted, trap.provider.deleted]).toEqual([[], []]);
  });

  it('loses its open connections after a time of grace, when the next one becomes known', async () => {
    const target = await start(host, [friend, stranger], { clock: quickClock });
    const [old, other] = [clientOf(friend, target, host), clientOf(stranger, target, host)];
    await Promise.all([call(old), call(other)]);
    target.roster.set([host.record, nextFriend.record, stranger.record]);
    await call(old);
    await untilRefused(old);
    await call(other);
  });

  it('is not shown any more by its owner, who ends what it opened after the same time', async () => {
    const identity = { ...host };
    const target = await start(identity, [friend], { clock: quickClock });
    const old = clientOf(friend, target, host);
    await call(old);
    Object.assign(identity, nextHost);
    target.roster.set([nextHost.record, friend.record]);
    await call(old);
    await call(clientOf(friend, target, nextHost));
    await untilRefused(old);
  });

  it('made tokens that go on to work', async () => {
    const asked: string[] = [];
    const identity = { ...host };
    const join = ({ record }: { record: { name: string } }) => {
      asked.push(record.name);
      return Promise.resolve({ records: [] });
    };
    const target = await start(identity, [], { join });
    Object.assign(identity, nextHost);
    target.roster.set([nextHost.record]);
    const { record, key } = stranger;
    const request = { record, invitation: '1', secret: 's', signature: signJoin(host.id, '1', key) };
    await requestJoin(`127.0.0.1:${target.port}`, { id: host.id }, request, AbortSignal.timeout(5_000));
    expect(asked).toEqual(['stranger']);
  });
});

describe('a token', () => {
  const request = (invitation: string) => {
    const { record, key } = stranger;
    return { record, invitation, secret: 's', signature: signJoin(host.id, invitation, key) };
  };
  const ask = (target: TestServer, replacedKeys: number) =>
    requestJoin(`127.0.0.1:${target.port}`, { id: host.id, replacedKeys }, request('1'), AbortSignal.timeout(5_000));

  it('of after the replacement is spent with nobody who has the old key', async () => {
    const asked: string[] = [];
    const join = ({ secret }: { secret: string }) => {
      asked.push(secret);
      return Promise.resolve({ records: [] });
    };
    const [thief, owner] = [await start(host, [], { join }), await start(nextHost, [], { join })];
    await expect(ask(thief, 1)).rejects.toMatchObject({ message: /a key that the inviting cluster has replaced/ });
    expect(asked).toEqual([]);
    await ask(owner, 1);
    expect(asked).toEqual(['s']);
  });
});

describe('a certificate', () => {
  it('that is long over is as good as ever: keys are pinned, not dates', async () => {
    const over = { from: new Date('2001-01-01'), to: new Date('2002-01-01') };
    const pairs = await Promise.all([createSelfSigned(clusterIdOf, over), createSelfSigned(clusterIdOf, over)]);
    const [one, two] = pairs.map((pair) => memberOf('old', pair)) as [TestMember, TestMember];
    const target = await start(one, [two]);
    await call(clientOf(two, target, one));
    expect(target.provider.deleted.map(({ peerId }) => peerId)).toEqual([two.id]);
  });
});
