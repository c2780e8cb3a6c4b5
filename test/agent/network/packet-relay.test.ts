import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { PacketRelay } from '../../../src/agent/network/packet-relay.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** Stands for WireGuard: sends to where it was told, or last heard from. */
async function wireGuard(): Promise<{ socket: Socket; port: number; received: string[] }> {
  const socket = createSocket('udp4');
  const received: string[] = [];
  socket.on('message', (packet) => received.push(packet.toString()));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  closing.push(() => socket.close());
  return { socket, port: socket.address().port, received };
}

async function streamPair() {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<import('node:net').Socket>((resolve) => server.once('connection', resolve));
  const dialed = connect((server.address() as { port: number }).port, '127.0.0.1');
  closing.push(() => server.close());
  return [dialed, await accepted] as const;
}

async function eventually(check: () => void): Promise<void> {
  const end = performance.now() + 3_000;
  for (;;) {
    try {
      return check();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

const portOf = (endpoint: string): number => Number(endpoint.split(':')[1]);

describe('the relay', () => {
  it('carries packets of WireGuard through a stream, both ways', async () => {
    const [wgA, wgB] = [await wireGuard(), await wireGuard()];
    const [relayA, relayB] = [
      await PacketRelay.open(wgA.port, systemClock),
      await PacketRelay.open(wgB.port, systemClock),
    ];
    closing.push(
      () => relayA.close(),
      () => relayB.close(),
    );
    const [streamA, streamB] = await streamPair();
    relayA.attach(streamA, false, () => {});
    relayB.attach(streamB, false, () => {});
    const sent = Array.from({ length: 100 }, (_, index) => `packet ${index}`);
    for (const text of sent) wgA.socket.send(text, portOf(relayA.endpoint), '127.0.0.1');
    await eventually(() => expect(wgB.received).toEqual(sent));
    wgB.socket.send('answer', portOf(relayB.endpoint), '127.0.0.1');
    await eventually(() => expect(wgA.received).toEqual(['answer']));
  });

  it('keeps its endpoint over the loss of a stream, and goes on with the next', async () => {
    const [wgA, wgB] = [await wireGuard(), await wireGuard()];
    const [relayA, relayB] = [
      await PacketRelay.open(wgA.port, systemClock),
      await PacketRelay.open(wgB.port, systemClock),
    ];
    closing.push(
      () => relayA.close(),
      () => relayB.close(),
    );
    const { endpoint } = relayA;
    let ended = 0;
    for (const round of [1, 2]) {
      const [streamA, streamB] = await streamPair();
      relayA.attach(streamA, false, () => {
        ended += 1;
      });
      relayB.attach(streamB, false, () => {});
      wgA.socket.send(`round ${round}`, portOf(relayA.endpoint), '127.0.0.1');
      await eventually(() => expect(wgB.received.at(-1)).toBe(`round ${round}`));
      streamB.destroy();
      await eventually(() => expect(ended).toBe(round));
      expect(relayA.connected).toBe(false);
    }
    expect(relayA.endpoint).toBe(endpoint);
  });

  it('drops packets while there is no stream, and takes none from others than WireGuard', async () => {
    const [wgA, wgB, stranger] = [await wireGuard(), await wireGuard(), await wireGuard()];
    const [relayA, relayB] = [
      await PacketRelay.open(wgA.port, systemClock),
      await PacketRelay.open(wgB.port, systemClock),
    ];
    closing.push(
      () => relayA.close(),
      () => relayB.close(),
    );
    wgA.socket.send('lost', portOf(relayA.endpoint), '127.0.0.1');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const [streamA, streamB] = await streamPair();
    relayA.attach(streamA, false, () => {});
    relayB.attach(streamB, false, () => {});
    stranger.socket.send('forged', portOf(relayA.endpoint), '127.0.0.1');
    wgA.socket.send('kept', portOf(relayA.endpoint), '127.0.0.1');
    await eventually(() => expect(wgB.received).toEqual(['kept']));
  });

  it('prefers a direct stream, and falls back to the other when it breaks', async () => {
    const [wgA, wgB] = [await wireGuard(), await wireGuard()];
    const [relayA, relayB] = [
      await PacketRelay.open(wgA.port, systemClock),
      await PacketRelay.open(wgB.port, systemClock),
    ];
    closing.push(
      () => relayA.close(),
      () => relayB.close(),
    );
    const [direct, directEnd] = await streamPair();
    const [shared, sharedEnd] = await streamPair();
    let ended = 0;
    relayA.attach(direct, true, () => {
      ended += 1;
    });
    relayA.attach(shared, false, () => {});
    let fromDirect = 0;
    directEnd.on('data', () => {
      fromDirect += 1;
    });
    relayB.attach(sharedEnd, false, () => {});
    wgA.socket.send('one', portOf(relayA.endpoint), '127.0.0.1');
    await eventually(() => expect(fromDirect).toBe(1));
    direct.destroy();
    await eventually(() => expect(ended).toBe(1));
    wgA.socket.send('two', portOf(relayA.endpoint), '127.0.0.1');
    await eventually(() => expect(wgB.received).toEqual(['two']));
  });
});
