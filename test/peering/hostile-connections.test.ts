import { connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import { PEER_SERVER_NAME } from '../../src/wire/endpoints.ts';
import { createMember, resigned, type TestMember, vouchedBy } from '../core/membership/member-fixture.ts';
import { connectAs, eventually, startServer, type TestServer } from './peer-server-fixture.ts';

const SPEED = 10;
/** Ten times as fast as ours: nobody wants to wait for limits in seconds. */
const hastyClock: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal) };

let host: TestMember;
let friend: TestMember;
let stranger: TestMember;
const cleanups: (() => unknown)[] = [];

beforeAll(async () => {
  host = await createMember('host');
  friend = await createMember('friend');
  stranger = await createMember('stranger');
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(clock: Clock = systemClock): Promise<TestServer> {
  const started = await startServer(host, [friend], { clock });
  cleanups.push(() => started.server.close());
  return started;
}

const signal = (): AbortSignal => AbortSignal.timeout(10_000);

async function serves(target: TestServer): Promise<void> {
  const { client, close } = connectAs(friend, target, host);
  cleanups.push(close);
  await client.ask({ method: 'DELETE', path: '/v1/pods/a', signal: signal() });
}

function open(target: TestServer): Socket {
  const socket = connect({ host: '127.0.0.1', port: target.port });
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  return socket;
}

describe('slow connections', () => {
  it('of strangers are closed after five seconds, however steadily they drip', async () => {
    const target = await start(hastyClock);
    const socket = open(target);
    const startedAt = systemClock.monotonic();
    const hello = [22, 3, 1, 2, 0, 1];
    const drip = async (): Promise<void> => {
      for (let i = 0; !socket.destroyed && i < 200; i += 1) {
        socket.write(Buffer.from([hello[i] ?? 0]));
        await systemClock.sleep(20);
      }
    };
    void drip();
    socket.resume();
    await eventually(() => socket.destroyed);
    expect((systemClock.monotonic() - startedAt) * SPEED).toBeLessThan(20_000);
    await serves(target);
  });

  it.each([
    ['the head of a request', 'GET /v1/session HTTP/1.1\r\nx-slow: ', 10_000],
    [
      'a body',
      'POST /v1/roster HTTP/1.1\r\nhost: peer\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{',
      60_000,
    ],
  ])('of members end when %s does not come', async (_what, bytes, withinMs) => {
    const target = await start(hastyClock);
    const { open: openStream, close } = connectAs(friend, target, host);
    cleanups.push(close);
    const stream = await openStream(signal());
    const startedAt = systemClock.monotonic();
    let closedAt: number | undefined;
    stream.on('close', () => {
      closedAt = systemClock.monotonic();
    });
    stream.on('error', () => {}).resume();
    stream.write(bytes);
    const tookMs = ((await eventually(() => closedAt)) - startedAt) * SPEED;
    expect(tookMs).toBeGreaterThan(withinMs * 0.9);
    expect(tookMs).toBeLessThan(withinMs * 2);
    await serves(target);
  });
});

describe('ten thousand connections', () => {
  it('of strangers leave room for members, those that are in and those that come', { timeout: 120_000 }, async () => {
    const target = await start();
    const { client, close } = connectAs(friend, target, host);
    cleanups.push(close);
    const call = () => client.ask({ method: 'DELETE', path: '/v1/pods/a', signal: signal() });
    await call();
    let isOpen = 0;
    for (let wave = 0; wave < 10; wave += 1) {
      for (let i = 0; i < 1_000; i += 1) {
        isOpen += 1;
        open(target).on('close', () => (isOpen -= 1));
      }
      await eventually(() => isOpen <= 260, 30_000);
    }
    await call();
    await serves(target);
    expect(isOpen).toBeLessThanOrEqual(260);
  });
});

describe('older versions', () => {
  const attempt = (target: TestServer, options: object): Promise<string> =>
    new Promise((resolve) => {
      const { key, certificate: cert } = friend;
      const socket = tlsConnect({
        host: '127.0.0.1',
        port: target.port,
        servername: PEER_SERVER_NAME,
        rejectUnauthorized: false,
        key,
        cert,
        ...options,
      });
      cleanups.push(() => socket.destroy());
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
      socket.on('secureConnect', () => resolve(`${socket.getProtocol()} ${socket.alpnProtocol}`));
    });

  it('of TLS and of our protocol are refused in the handshake', async () => {
    const target = await start();
    expect(await attempt(target, { ALPNProtocols: ['headcut/2'] })).toBe('TLSv1.3 headcut/2');
    expect(await attempt(target, { ALPNProtocols: ['headcut/2'], maxVersion: 'TLSv1.2' })).toMatch(/^ERR_SSL/);
    expect(await attempt(target, { ALPNProtocols: ['headcut/1'] })).toMatch(/NO_APPLICATION_PROTOCOL/);
  });
});

describe('absurd records', () => {
  it.each<[string, () => object[]]>([
    ['too many', () => Array.from({ length: 501 }, () => friend.record)],
    ['with too many endpoints', () => [resigned(friend, { endpoints: Array.from({ length: 17 }, () => 'h:1') })]],
    ['with an endless name', () => [resigned(friend, { name: 'x'.repeat(64) })]],
    ['with an endless certificate', () => [{ ...vouchedBy(stranger, friend), certificate: 'A'.repeat(12_289) }]],
    ['with a negative incarnation', () => [resigned(friend, { incarnation: -1 })]],
  ])('are not even read: %s', async (_what, make) => {
    const target = await start();
    const { client, close } = connectAs(friend, target, host);
    cleanups.push(close);
    const told = client.ask({ method: 'POST', path: '/v1/roster', body: { records: make() }, signal: signal() });
    await expect(told).rejects.toMatchObject({ code: 'InvalidArgument' });
    expect(target.roster.heard).toEqual([]);
  });
});
