import { Duplex, Transform } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { renewLease } from '../../src/agent/fencing/leases.ts';
import { submitPod } from '../../src/agent/offloading/submit-pod.ts';
import { FENCING_PROTOCOL, NAMED_LEASE_PROTOCOL, PROTOCOL_VERSION } from '../../src/wire/endpoints.ts';
import {
  createCluster,
  joinThrough,
  StartedAgents,
  type TestAgent,
  type TestCluster,
} from '../agent/membership/federation-fixture.ts';
import { eventually } from './peer-server-fixture.ts';

const agents = new StartedAgents();
const { stop } = agents;
const older = new Set<string>();
/** What members of the older version were asked for, or asked, that it does not have. */
let unknownToOlder: string[] = [];

afterEach(async () => {
  await agents.stopAll();
  older.clear();
  unknownToOlder = [];
});

/**
 * A connection on which one of the two speaks version 2 of the protocol: it takes no notice of the question for digests, and serves
 * no differences of rosters.
 */
function withOlder(stream: Duplex): Duplex {
  const requests = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const text = chunk.toString('latin1');
      if (text.startsWith('POST /v1/roster/difference ')) unknownToOlder.push('difference');
      const old = text
        .replace(/^GET \/v1\/session\?\S* /, 'GET /v1/session ')
        .replace(/^POST \/v1\/roster\/difference /, 'POST /v1/not-there-yet ');
      done(null, Buffer.from(old, 'latin1'));
    },
  });
  stream.pipe(requests);
  stream.on('error', () => requests.destroy());
  stream.on('close', () => requests.destroy());
  return Duplex.from({ readable: requests, writable: stream }).on('error', () => stream.destroy());
}

async function start(cluster: TestCluster, protocol: number): Promise<TestAgent> {
  const { id } = cluster.identity;
  if (protocol < PROTOCOL_VERSION) older.add(id);
  else older.delete(id);
  const through = (stream: Duplex, peerId: string): Duplex =>
    older.has(id) || older.has(peerId) ? withOlder(stream) : stream;
  return agents.start(cluster, { protocol, through });
}

const seenBy = (agent: TestAgent): string =>
  agent.peers
    .list()
    .map((link) => `${link.name}=${link.state}`)
    .sort()
    .join(' ');
const see = (agent: TestAgent, wanted: string) => eventually(() => seenBy(agent) === wanted);

async function echo(from: TestAgent, to: TestAgent): Promise<string> {
  const link = from.peers.get(to.own.id);
  const stream = await link?.stream('packets', {}, AbortSignal.timeout(5_000));
  if (stream === undefined) throw new Error('it is no member');
  stream.end('hello');
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** A federation in which `b`, the member that everybody joins through, speaks another version than `a` and `c`. */
async function mixed(protocol: number): Promise<[TestAgent, TestAgent, TestAgent]> {
  const [a, b, c] = await Promise.all([
    createCluster('a').then((cluster) => start(cluster, PROTOCOL_VERSION)),
    createCluster('b').then((cluster) => start(cluster, protocol)),
    createCluster('c').then((cluster) => start(cluster, PROTOCOL_VERSION)),
  ]);
  await joinThrough(a, b);
  await joinThrough(c, b);
  await see(a, 'b=Connected c=Connected');
  await see(b, 'a=Connected c=Connected');
  await see(c, 'a=Connected b=Connected');
  return [a, b, c];
}

describe.each([
  ['older', PROTOCOL_VERSION - 1],
  ['newer', PROTOCOL_VERSION + 1],
])('a member of the next %s version of the protocol', { timeout: 60_000 }, (_name, protocol) => {
  it('is a full member: all know each other, and hear of changes and of who leaves', async () => {
    const [a, b, c] = await mixed(protocol);
    for (const [agent, name] of [
      [a, 'first'],
      [b, 'second'],
    ] as const) {
      const { endpoints } = agent.own.record();
      await agent.own.refresh({ metadata: { name: 'headcut' }, spec: { name, endpoints } });
    }
    await eventually(() => c.cluster.peers.get('a')?.spec.name === 'first');
    await eventually(() => b.cluster.peers.get('a')?.spec.name === 'first');
    await eventually(() => a.cluster.peers.get('b')?.spec.name === 'second');
    await eventually(() => c.cluster.peers.get('b')?.spec.name === 'second');
    await c.leave();
    await see(b, 'a=Connected');
    await see(a, 'b=Connected');
  });

  it('is called and calls', async () => {
    const [a, b] = await mixed(protocol);
    expect(await echo(a, b)).toBe(`${a.own.id}?:hello`);
    expect(await echo(b, a)).toBe(`${b.own.id}?:hello`);
  });

  it('is asked for a lease in words that it understands', async () => {
    const [a, b] = await mixed(protocol);
    const ask = (from: TestAgent, to: TestAgent) => {
      const link = from.peers.get(to.own.id);
      return link && renewLease(link, ['u1'], AbortSignal.timeout(5_000));
    };
    expect(await ask(a, b)).toEqual(protocol < NAMED_LEASE_PROTOCOL ? [] : ['u1']);
    expect(await ask(b, a)).toEqual(['u1']);
  });

  it('is asked for nothing that it does not have', async () => {
    await mixed(protocol);
    expect(unknownToOlder).toEqual([]);
  });

  it('is upgraded or set back without being lost', async () => {
    const [a, b, c] = await mixed(protocol);
    const { cluster } = b;
    await stop(b);
    const again = await start(cluster, PROTOCOL_VERSION);
    await see(again, 'a=Connected c=Connected');
    await see(a, 'b=Connected c=Connected');
    await see(c, 'a=Connected b=Connected');
    for (const agent of [a, c]) expect(agent.changes).not.toContain('b Unreachable');
  });
});

it.each([FENCING_PROTOCOL - 1, FENCING_PROTOCOL])(
  'a member gets no pod that is to be fenced if its version (%d) could overlook that',
  { timeout: 60_000 },
  async (protocol) => {
    const [a, b] = await mixed(protocol);
    const link = a.peers.get(b.own.id);
    const metadata = { name: 'db-0', namespace: 'demo', uid: 'u1' };
    const pod = { metadata, spec: { containers: [{ name: 'db' }] } };
    const submission = { pod, virtualNode: 'headcut-b', objects: [], fencing: { afterSeconds: 30 } };
    const answer = link && submitPod(link, 'u1', submission);
    const wanted = protocol < FENCING_PROTOCOL ? { accepted: false, reason: 'FencingUnsupported' } : { accepted: true };
    expect(await answer).toMatchObject(wanted);
  },
);
