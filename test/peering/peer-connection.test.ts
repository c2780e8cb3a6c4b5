import { type AddressInfo, createServer } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dialPeer } from '../../src/peering/dial-peer.ts';
import { PeerAcceptor } from '../../src/peering/peer-acceptor.ts';
import { acceptPeerConnection, openPeerConnection, type PeerConnection } from '../../src/peering/peer-connection.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { createMember, resigned, type TestMember } from '../core/membership/member-fixture.ts';
import { eventually } from './peer-server-fixture.ts';
import { createRelay } from './relay.ts';

const cleanups: (() => unknown)[] = [];
let host: TestMember;
let guest: TestMember;

beforeAll(async () => {
  host = await createMember('host');
  guest = await createMember('guest');
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const signal = (): AbortSignal => AbortSignal.timeout(5_000);
const hello = (instance: string) => ({ instance, protocol: 2, version: 'test' });
const proven = (id: string) => ({ id, keyGenerations: { own: 0, peer: 0 } });

/** A peer port of `host` on loopback that lets `guest` in. */
async function openPort(): Promise<{ port: number; accepted: PeerConnection[] }> {
  const accepted: PeerConnection[] = [];
  const acceptor = new PeerAcceptor({
    identity: host,
    hello: hello('host-1'),
    roster: { records: () => [host.record, guest.record] },
    onStream: () => {},
    onConnection: (connection) => accepted.push(connection),
    onNewcomer: (socket) => socket.destroy(),
    clock: systemClock,
    logger: silentLogger,
  });
  const port = await acceptor.listen('127.0.0.1', 0);
  cleanups.push(() => {
    acceptor.stopListening();
    acceptor.close();
  });
  return { port, accepted };
}

async function dial(...ports: number[]) {
  const endpoints = ports.map((port) => `127.0.0.1:${port}`);
  const context = { identity: guest, hello: hello('guest-1'), clock: systemClock };
  const dialed = await dialPeer(resigned(host, { endpoints }), endpoints, context, signal());
  cleanups.push(() => dialed.connection.close());
  return dialed;
}

async function pair(): Promise<{ dialer: PeerConnection; acceptor: PeerConnection }> {
  const { port, accepted } = await openPort();
  const { connection: dialer } = await dial(port);
  return { dialer, acceptor: await eventually(() => accepted[0]) };
}

/** Two ends of a connection; what the near one sends can be held back, and arrives in one piece then. */
function heldPair() {
  let held: Buffer[] | undefined;
  const near: Duplex = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      if (held === undefined) far.push(chunk);
      else held.push(chunk);
      done();
    },
  });
  const far: Duplex = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, done) => {
      near.push(chunk);
      done();
    },
  });
  const letGo = (): void => {
    far.push(Buffer.concat(held ?? []));
    held = undefined;
  };
  return { near, far, hold: () => (held = []), letGo };
}

const echo = (stream: Duplex): void => void stream.pipe(stream);

function collect(stream: Duplex): () => string {
  let text = '';
  stream.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  return () => text;
}

async function ask(connection: PeerConnection, text: string): Promise<string> {
  const stream = await connection.open(signal());
  stream.end(text);
  let answer = '';
  for await (const chunk of stream) answer += String(chunk);
  return answer;
}

describe('a connection between two members', () => {
  it('tells each side who the other is', async () => {
    const { dialer, acceptor } = await pair();
    expect([dialer.peerId, dialer.peer.instance, dialer.dialed]).toEqual([host.id, 'host-1', true]);
    expect([acceptor.peerId, acceptor.peer.instance, acceptor.dialed]).toEqual([guest.id, 'guest-1', false]);
  });

  it('carries calls of both sides, more at once than streams are in stock', async () => {
    const { dialer, acceptor } = await pair();
    dialer.serve(echo);
    acceptor.serve(echo);
    const texts = Array.from({ length: 50 }, (_, i) => `text ${i}`);
    expect(await Promise.all(texts.map((text) => ask(dialer, text)))).toEqual(texts);
    expect(await Promise.all(texts.map((text) => ask(acceptor, text)))).toEqual(texts);
  });

  it('measures the time of a round trip, from both sides', async () => {
    const { dialer, acceptor } = await pair();
    for (const side of [dialer, acceptor]) expect(await side.ping(signal())).toBeGreaterThan(0);
  });

  it('finishes what is under way when it is drained, and takes nothing new', async () => {
    const { dialer, acceptor } = await pair();
    dialer.serve(echo);
    acceptor.serve(echo);
    const streams = [await dialer.open(signal()), await acceptor.open(signal())];
    const heard = streams.map((stream) => collect(stream));
    for (const stream of streams) stream.write('early ');
    await eventually(() => heard.every((text) => text() === 'early '));
    acceptor.drain();
    await eventually(() => dialer.draining);
    await expect(dialer.open(signal())).rejects.toMatchObject({ code: 'Unavailable' });
    await expect(acceptor.open(signal())).rejects.toMatchObject({ code: 'Unavailable' });
    for (const stream of streams) stream.end('late');
    await eventually(() => heard.every((text) => text() === 'early late'));
    await eventually(() => dialer.closed && acceptor.closed);
  });

  it('is one of a few: a member that opens ever more loses its oldest', async () => {
    const { port, accepted } = await openPort();
    const dialed = [];
    for (let i = 0; i < 12; i += 1) dialed.push((await dial(port)).connection);
    await eventually(() => accepted.length === 12 && accepted.filter((one) => !one.closed).length === 8);
    expect(accepted.slice(0, 4).every((one) => one.closed)).toBe(true);
  });

  it('is closed at once, also while nothing that it sends arrives', async () => {
    const { port, accepted } = await openPort();
    const way = await createRelay(() => port);
    cleanups.push(() => way.close());
    const { connection } = await dial(way.port);
    await eventually(() => accepted.length === 1);
    const reasons: unknown[] = [];
    connection.onClose((reason) => reasons.push(reason));
    accepted[0]?.serve((stream) => stream.pause());
    way.freeze();
    for (let i = 0; i < 100; i += 1) (await connection.open(signal())).write(Buffer.alloc(512 * 1024));
    await systemClock.sleep(500);
    connection.close(new Error('silent'));
    await systemClock.sleep(50);
    expect(connection.closed).toBe(true);
    expect(reasons).toEqual([new Error('silent')]);
  });

  it('survives streams that are opened and ended before it hears of either', async () => {
    const { near, far, hold, letGo } = heldPair();
    const accepted: PeerConnection[] = [];
    const { sleep } = systemClock;
    acceptPeerConnection(far, proven(guest.id), { hello: hello('host-1'), sleep }, (connection) =>
      accepted.push(connection),
    );
    const connection = await openPeerConnection(near, proven(host.id), hello('guest-1'));
    cleanups.push(() => connection.close());
    (await eventually(() => accepted[0])).serve(echo);
    hold();
    const streams = await Promise.all(Array.from({ length: 20 }, () => connection.open(signal())));
    await systemClock.sleep(50);
    for (const stream of streams) stream.destroy();
    await systemClock.sleep(50);
    letGo();
    expect(await ask(connection, 'still there')).toBe('still there');
  });

  it('ends waiting calls when it breaks', async () => {
    const { dialer, acceptor } = await pair();
    // The dialler serves nobody yet: there is no stream in stock.
    const waiting = acceptor.open(signal());
    dialer.close();
    await expect(waiting).rejects.toMatchObject({ code: 'Unavailable' });
  });
});

describe('dialling', () => {
  it('takes the endpoint that answers, whatever the others do', async () => {
    const { port } = await openPort();
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => silent.close());
    const startedAt = systemClock.monotonic();
    const { endpoint } = await dial(1, (silent.address() as AddressInfo).port, port);
    expect(endpoint).toBe(`127.0.0.1:${port}`);
    expect(systemClock.monotonic() - startedAt).toBeLessThan(3_000);
  });

  it('names every endpoint that was tried in vain, and why', async () => {
    await expect(dial(1, 2)).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/127\.0\.0\.1:1 .*ECONNREFUSED.*127\.0\.0\.1:2 /),
    });
  });
});
