import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { createFairConnections, shareConnections } from '../../src/runtime/fair-connections.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listening(server: Server): Promise<number> {
  shareConnections(server, createFairConnections({ total: 16, perOwner: 2, mostPerMember: 8 }));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => {});
  });
  cleanups.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** How many of these stay open. */
async function kept(port: number, from: string, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: from });
    socket.on('error', () => {});
    cleanups.push(() => socket.destroy());
    return socket;
  });
  await systemClock.sleep(150);
  return sockets.filter((socket) => !socket.destroyed && socket.readyState === 'open');
}

describe('a port that many addresses reach', () => {
  it.each([
    ['of TCP', () => createServer((socket) => void socket.resume())],
    ['of TLS', () => createTlsServer({}, (socket) => void socket.resume()) as Server],
  ])('%s keeps a few connections for each of them, whatever one opens', async (_what, create) => {
    const port = await listening(create());
    const greedy = await kept(port, '127.0.0.2', 40);
    expect(greedy.length).toBe(4);
    const other = await kept(port, '127.0.0.3', 2);
    expect(other.length).toBe(2);
    for (const socket of other) socket.destroy();
    await systemClock.sleep(50);
    expect((await kept(port, '127.0.0.3', 2)).length, 'and those that were closed are not counted').toBe(2);
  });

  it('is not filled by many addresses together', async () => {
    const port = await listening(createServer((socket) => void socket.resume()));
    for (let host = 10; host < 30; host += 1) await kept(port, `127.0.0.${host}`, 4);
    expect((await kept(port, '127.0.0.99', 2)).length).toBe(2);
  });
});
