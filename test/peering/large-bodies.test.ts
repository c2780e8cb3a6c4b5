import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { ENDPOINTS } from '../../src/wire/endpoints.ts';
import { createMember } from '../core/membership/member-fixture.ts';
import { connectAs, eventually, examplePod, startServer } from './peer-server-fixture.ts';

const MIB = 1024 * 1024;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const signal = (): AbortSignal => AbortSignal.timeout(15_000);

it('bodies that do not end hold so much memory of this member and no more, and keep nobody else out', async () => {
  const [host, hostile, friend] = [
    await createMember('host'),
    await createMember('hostile'),
    await createMember('friend'),
  ];
  const { server, record } = await startServer(host, [hostile, friend]);
  cleanups.push(() => server.close());
  const attacker = connectAs(hostile, { record }, host);
  cleanups.push(attacker.close);
  let answered = 0;
  for (let i = 0; i < 60; i += 1) {
    const stream = await attacker.open(signal());
    stream.on('error', () => {});
    stream.on('data', () => (answered += 1));
    const head = `PUT /v1/pods/u${i} HTTP/1.1\r\nhost: peer\r\ncontent-type: application/json\r\n`;
    stream.write(`${head}content-length: ${8 * MIB}\r\n\r\n{"pod": "`);
    stream.write(Buffer.alloc(256 * 1024, 'x'));
  }
  // One of them is read, thirty-two wait, and the others are told so.
  await eventually(() => answered >= 27);
  expect(server.bodyBytes).toBe(8 * MIB);
  const client = connectAs(friend, { record }, host);
  cleanups.push(client.close);
  const body = { pod: examplePod, virtualNode: 'headcut-host', objects: [] };
  expect(await client.client.ask({ method: 'PUT', path: '/v1/pods/uid-1', body, signal: signal() })).toEqual({
    accepted: true,
  });
  // Also the one that does this is asked and answered what is small: leases are.
  const asked = { method: 'POST', path: '/v1/lease', body: { pods: ['a'] }, signal: signal() };
  expect(await attacker.client.ask(asked)).toEqual({ ended: [] });
  attacker.close();
  await eventually(() => server.bodyBytes === 0);
});

it('large bodies at once are all taken, one after the other', async () => {
  const [host, friend] = [await createMember('host'), await createMember('friend')];
  const { server, record, provider } = await startServer(host, [friend]);
  cleanups.push(() => server.close());
  const { client, close } = connectAs(friend, { record }, host);
  cleanups.push(close);
  const object = { kind: 'ConfigMap' as const, metadata: { name: 'c' }, data: { text: 'x'.repeat(5 * MIB) } };
  const body = { pod: examplePod, virtualNode: 'headcut-host', objects: [object] };
  const submit = (uid: string) => client.call(ENDPOINTS.submitPod, { params: { uid }, body }, signal());
  await Promise.all(Array.from({ length: 10 }, (_, i) => submit(`u${i}`)));
  expect(provider.submitted).toHaveLength(10);
  await systemClock.sleep(50);
  expect(server.bodyBytes).toBe(0);
});

it('answers that nobody reads are few, and those of others go on', async () => {
  const [host, hostile, friend] = [
    await createMember('host'),
    await createMember('hostile'),
    await createMember('friend'),
  ];
  const { record, server } = await startServer(host, [hostile, friend], {
    calls: { stats: () => ({ pods: many(5_000) }) },
  });
  cleanups.push(() => server.close());
  const attacker = connectAs(hostile, { record }, host);
  cleanups.push(attacker.close);
  const refused: string[] = [];
  for (let i = 0; i < 40; i += 1) {
    const stream = await attacker.open(signal());
    stream.on('error', () => {});
    stream.write('GET /v1/stats HTTP/1.1\r\nhost: peer\r\n\r\n');
    stream.once('readable', () => {
      const head = String(stream.read(12));
      if (head !== 'HTTP/1.1 200') refused.push(head);
    });
  }
  await eventually(() => refused.length === 32);
  expect(new Set(refused)).toEqual(new Set(['HTTP/1.1 429']));
  const { client, close } = connectAs(friend, { record }, host);
  cleanups.push(close);
  const { pods } = await client.call(ENDPOINTS.stats, { query: {} }, signal());
  expect(pods).toHaveLength(5_000);
});

const many = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ uid: `u${i}`, stats: { x: 'y'.repeat(300) } }));
