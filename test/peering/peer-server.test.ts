import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { duplexPair, PassThrough, Readable } from 'node:stream';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { PodStreams } from '../../src/agent/ports.ts';
import { CodedError } from '../../src/core/coded-error.ts';
import type { RemotePod } from '../../src/core/exchange/pod-submission.ts';
import { requestJoin } from '../../src/peering/join-client.ts';
import { networkOf } from '../../src/peering/join-server.ts';
import { readText } from '../../src/peering/peer-client.ts';
import { readLines } from '../../src/runtime/lines.ts';
import type { SessionMessage } from '../../src/wire/messages.ts';
import { createMember, type TestMember } from '../core/membership/member-fixture.ts';
import {
  connectAs,
  eventually,
  examplePod,
  startServer,
  type TestClient,
  type TestServer,
} from './peer-server-fixture.ts';

let host: TestMember;
let friend: TestMember;
let other: TestMember;
let stranger: TestMember;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  host = await createMember('host');
  friend = await createMember('friend');
  other = await createMember('other');
  stranger = await createMember('stranger');
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(...args: Parameters<typeof startServer>): Promise<TestServer> {
  const started = await startServer(...args);
  cleanups.push(() => started.server.close());
  return started;
}

function clientOf(member: TestMember, target: TestServer, pinned: TestMember = host): TestClient {
  const { client, close } = connectAs(member, target, pinned);
  cleanups.push(close);
  return client;
}

const signal = (): AbortSignal => AbortSignal.timeout(5_000);
const deletePod = (client: TestClient, uid: string, query = '') =>
  client.ask({ method: 'DELETE', path: `/v1/pods/${uid}${query}`, signal: signal() });

describe('who gets in', () => {
  it('lets every pinned member in and knows each by its certificate', async () => {
    const target = await start(host, [friend, other]);
    await deletePod(clientOf(friend, target), 'a');
    await deletePod(clientOf(other, target), 'b');
    expect(target.provider.deleted.map(({ peerId, uid }) => [peerId, uid])).toEqual([
      [friend.id, 'a'],
      [other.id, 'b'],
    ]);
  });

  it('refuses an unknown key in the handshake', async () => {
    const target = await start(host, [friend]);
    await expect(deletePod(clientOf(stranger, target), 'a')).rejects.toMatchObject({ code: 'Unavailable' });
    expect(target.provider.deleted).toEqual([]);
  });

  it('is not talked to by a client that pinned another key', async () => {
    const target = await start(host, [friend]);
    await expect(deletePod(clientOf(friend, target, other), 'a')).rejects.toMatchObject({ code: 'Unavailable' });
    expect(target.provider.deleted).toEqual([]);
  });

  it('lets a member in as soon as it is in the roster', async () => {
    const target = await start(host, []);
    const client = clientOf(friend, target);
    await expect(deletePod(client, 'a')).rejects.toMatchObject({ code: 'Unavailable' });
    target.roster.set([host.record, friend.record]);
    await deletePod(client, 'a');
  });

  it('closes the open connections of a member that is removed, and no others', async () => {
    const target = await start(host, [friend, other]);
    const open = (member: TestMember) =>
      clientOf(member, target).request({ method: 'GET', path: '/v1/session', signal: signal() });
    const [removed, kept] = [await open(friend), await open(other)];
    let closed = false;
    removed
      .on('error', () => {})
      .on('close', () => {
        closed = true;
      });
    removed.resume();
    target.roster.set([host.record, other.record]);
    await eventually(() => closed);
    await expect(deletePod(clientOf(friend, target), 'a')).rejects.toMatchObject({ code: 'Unavailable' });
    expect(kept.destroyed).toBe(false);
    kept.destroy();
  });

  it('survives connections that send garbage or nothing', async () => {
    const target = await start(host, [friend]);
    for (const bytes of [
      randomBytes(3_000),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from([22, 3, 1, 1, 0, 1]),
      Buffer.alloc(0),
    ]) {
      const socket = connect({ host: '127.0.0.1', port: target.port });
      socket.on('error', () => {});
      cleanups.push(() => socket.destroy());
      socket.write(bytes);
    }
    await deletePod(clientOf(friend, target), 'a');
  });
});

describe('the join door', () => {
  const request = (member: TestMember) => ({ record: member.record, invitation: 'abc', secret: 's', signature: 'AA' });

  it('is open to unknown keys and passes on what the desk says', async () => {
    const target = await start(host, [], { join: (body) => Promise.resolve({ records: [body.record] }) });
    const answer = await requestJoin(`127.0.0.1:${target.port}`, { id: host.id }, request(stranger), signal());
    expect(answer.records).toEqual([stranger.record]);
    const refusing = await start(host, []);
    const refused = requestJoin(`127.0.0.1:${refusing.port}`, { id: host.id }, request(stranger), signal());
    await expect(refused).rejects.toMatchObject({ code: 'FailedPrecondition', message: 'no invitations' });
  });

  it('gets nothing from a newcomer that wants another key', async () => {
    let asked = false;
    const target = await start(host, [], {
      join: () => {
        asked = true;
        return Promise.reject(new CodedError('Internal', 'never'));
      },
    });
    const refused = requestJoin(`127.0.0.1:${target.port}`, { id: other.id }, request(stranger), signal());
    await expect(refused).rejects.toMatchObject({ code: 'Unavailable', message: /does not hold the key/ });
    expect(asked).toBe(false);
  });

  it('serves nothing else, and refuses bodies that do not fit', async () => {
    const target = await start(host, []);
    const malformed = { ...request(stranger), invitation: '../../x' };
    const refused = requestJoin(`127.0.0.1:${target.port}`, { id: host.id }, malformed, signal());
    await expect(refused).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  it('answers as many as have the right secret, however many come from one address', async () => {
    const target = await start(host, [], { join: (body) => Promise.resolve({ records: [body.record] }) });
    for (let i = 0; i < 25; i += 1) {
      const answer = requestJoin(`127.0.0.1:${target.port}`, { id: host.id }, request(stranger), signal());
      await expect(answer).resolves.toBeDefined();
    }
  });

  it('counts what it refuses by address, and of IPv6 by network', () => {
    expect(networkOf('::ffff:192.0.2.1')).toBe(networkOf('192.0.2.1'));
    expect(networkOf('192.0.2.1')).not.toBe(networkOf('192.0.2.2'));
    expect(networkOf('2001:db8::1')).toBe(networkOf('2001:db8:0:0:ffff::2%eth0'));
    expect(networkOf('2001:db8:0:1::1')).not.toBe(networkOf('2001:db8::1'));
    expect(networkOf(undefined)).toBe('');
  });

  it('slows down who guesses', async () => {
    const target = await start(host, []);
    const codes = [];
    for (let i = 0; i < 25; i += 1) {
      const guess = requestJoin(`127.0.0.1:${target.port}`, { id: host.id }, request(stranger), signal());
      codes.push(await guess.catch((error: CodedError) => error.code));
    }
    expect(codes.filter((code) => code === 'ResourceExhausted').length).toBeGreaterThan(0);
  });
});

describe('calls', () => {
  it('pass pods through with fields that nobody here knows', async () => {
    const target = await start(host, [friend]);
    const submission = { pod: examplePod, virtualNode: 'headcut-host', objects: [] };
    const answer = await clientOf(friend, target).ask({
      method: 'PUT',
      path: '/v1/pods/uid-1',
      body: submission,
      signal: signal(),
    });
    expect(answer).toEqual({ accepted: true });
    expect(target.provider.submitted).toEqual([{ peerId: friend.id, uid: 'uid-1', submission }]);
  });

  it('carry the grace period', async () => {
    const target = await start(host, [friend]);
    const client = clientOf(friend, target);
    for (const query of ['', '?gracePeriodSeconds=0', '?gracePeriodSeconds=30']) await deletePod(client, 'a', query);
    expect(target.provider.deleted.map((call) => call.gracePeriodSeconds)).toEqual([undefined, 0, 30]);
  });

  it('carry no grace period that an API server would not take', async () => {
    const target = await start(host, [friend]);
    const client = clientOf(friend, target);
    const texts = ['1e300', '-1', '1.5', '99999999999', 'Infinity', '%20'];
    for (const text of texts)
      await expect(deletePod(client, 'a', `?gracePeriodSeconds=${text}`)).rejects.toMatchObject({
        code: 'InvalidArgument',
      });
    expect(target.provider.deleted).toEqual([]);
  });

  it('tell what is wrong with a request, as code and message', async () => {
    const target = await start(host, [friend]);
    const client = clientOf(friend, target);
    const call = (method: string, path: string, body?: unknown) => client.ask({ method, path, body, signal: signal() });
    await expect(call('GET', '/nothing')).rejects.toMatchObject({ code: 'NotFound' });
    await expect(call('PUT', '/v1/pods/uid-1', { pod: {} })).rejects.toMatchObject({ code: 'InvalidArgument' });
    await expect(call('DELETE', '/v1/pods/a%20b')).rejects.toMatchObject({ code: 'InvalidArgument' });
    await expect(call('GET', '/v1/pods/unknown/logs/c')).rejects.toMatchObject({
      code: 'NotFound',
      message: /no such pod/,
    });
    const large = { records: [], padding: 'x'.repeat(2 * 1024 * 1024) };
    await expect(call('POST', '/v1/roster', large)).rejects.toMatchObject({ code: 'ResourceExhausted' });
  });

  it('hand records to the roster with the name of who told them', async () => {
    const target = await start(host, [friend]);
    await clientOf(friend, target).ask({
      method: 'POST',
      path: '/v1/roster',
      body: { records: [other.record] },
      signal: signal(),
    });
    expect(target.roster.heard).toEqual([{ records: [other.record], from: friend.id }]);
  });
});

describe('sessions', () => {
  const pod = (uid: string): RemotePod => ({ uid, namespace: 'demo', name: uid, deleting: false });

  async function collect(target: TestServer): Promise<SessionMessage[]> {
    const stop = new AbortController();
    const stream = await clientOf(friend, target).request({ method: 'GET', path: '/v1/session', signal: stop.signal });
    const messages: SessionMessage[] = [];
    const reading = (async () => {
      for await (const line of readLines(stream)) messages.push(JSON.parse(line) as SessionMessage);
    })().catch(() => {});
    cleanups.push(async () => {
      stop.abort();
      await reading;
    });
    return messages;
  }

  it('are served to a peer that asks before the port is open, over a connection that we made', async () => {
    const [here, there] = duplexPair();
    there.write('GET /v1/session HTTP/1.1\r\nhost: peer\r\n\r\n');
    await start(host, [friend], { beforeListening: (server) => server.serve(friend.id, here) });
    cleanups.push(() => there.destroy());
    let answer = '';
    there.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    await eventually(() => answer.includes('"type":"hello"'));
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
  });

  it('start with who it is, all members and all pods, and go on with changes and heartbeats', async () => {
    const target = await start(host, [friend]);
    target.source.pods = [pod('one')];
    const messages = await collect(target);
    await eventually(() => messages.length >= 3);
    expect(messages).toMatchObject([
      { type: 'hello', id: host.id },
      { type: 'roster', records: [{ id: host.id }, { id: friend.id }] },
      { type: 'pods', pods: [{ uid: 'one' }] },
    ]);
    target.source.pods = [pod('two')];
    for (const podUid of ['one', 'two', 'two']) target.source.change({ podUid });
    await eventually(() => messages.some((message) => message.type === 'pod-gone'));
    expect(messages.slice(3)).toMatchObject([
      { type: 'pod-gone', uid: 'one' },
      { type: 'pod', pod: { uid: 'two' } },
    ]);
    target.roster.set([host.record, friend.record, other.record]);
    await eventually(() => messages.filter((message) => message.type === 'roster').length === 2);
    await eventually(() => messages.some((message) => message.type === 'heartbeat'));
  });

  it('say nothing about pods while caches are cold', async () => {
    const target = await start(host, [friend]);
    target.source.pods = undefined;
    const messages = await collect(target);
    target.source.change({ podUid: 'one' });
    await eventually(() => messages.some((message) => message.type === 'heartbeat'));
    expect(messages.filter((message) => message.type.startsWith('pod'))).toEqual([]);
    target.source.pods = [pod('one')];
    target.source.change('pods');
    await eventually(() => messages.some((message) => message.type === 'pods'));
  });

  it('end with a goodbye when the agent stops on purpose', async () => {
    const target = await start(host, [friend]);
    const messages = await collect(target);
    await eventually(() => messages.length > 0);
    await target.server.close();
    await eventually(() => messages.at(-1)?.type === 'bye');
  });
});

describe('streams', () => {
  const streams: PodStreams = {
    logs: (pod, container, query) => Promise.resolve(Readable.from([`${pod.name}/${container}?${query}`])),
    upgrade: (_pod, request) => {
      if (request.action === 'attach') {
        return Promise.resolve({ upgraded: false, status: 403, body: 'forbidden', contentType: 'text/plain' });
      }
      const echo = new PassThrough();
      const rawHeaders = ['Connection', 'Upgrade', 'Upgrade', 'websocket'];
      const head = Buffer.from(`${request.container}:${request.query.getAll('command')}:`);
      return Promise.resolve({ upgraded: true, status: 101, rawHeaders, socket: echo, head });
    },
  };
  const headers = { connection: 'Upgrade', upgrade: 'websocket' };
  const upgrade = async (target: TestServer, path: string) =>
    clientOf(friend, target).upgrade({ method: 'GET', path, headers, signal: signal() });

  it('carry logs with their query', async () => {
    const target = await start(host, [friend], { streams });
    const path = '/v1/pods/p/logs/main?follow=true&tailLines=3';
    const body = await clientOf(friend, target).request({ method: 'GET', path, signal: signal() });
    expect(await readText(body, 1_000)).toBe('p/main?follow=true&tailLines=3');
  });

  it('carry bytes of an upgraded connection both ways', async () => {
    const target = await start(host, [friend], { streams });
    const answer = await upgrade(target, '/v1/pods/p/exec?container=main&command=sh&command=-c');
    if (answer.kind !== 'upgraded') throw new Error('not upgraded');
    let received = answer.head.toString();
    answer.socket.on('data', (bytes: Buffer) => {
      received += bytes.toString();
    });
    answer.socket.write('hello');
    await eventually(() => received === 'main:sh,-c:hello');
    answer.socket.destroy();
  });

  it('pass on why a connection was not upgraded', async () => {
    const target = await start(host, [friend], { streams });
    const refused = await upgrade(target, '/v1/pods/p/attach');
    expect([refused.message.statusCode, await readText(refused.message, 1_000)]).toEqual([403, 'forbidden']);
    const unknown = await upgrade(target, '/v1/pods/unknown/exec');
    expect([unknown.message.statusCode, JSON.parse(await readText(unknown.message, 1_000))]).toMatchObject([
      404,
      { code: 'NotFound' },
    ]);
  });
});
