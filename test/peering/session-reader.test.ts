import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import type { PeerConnection } from '../../src/peering/peer-connection.ts';
import { SessionReader } from '../../src/peering/session-reader.ts';
import { fastClock } from '../agent/membership/federation-fixture.ts';
import { eventually } from './peer-server-fixture.ts';

const stops: AbortController[] = [];

afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

const common = { name: 'b', maxListChars: () => 1_000_000, clock: fastClock, random: () => 0 };

/** A loop on one connection, to a peer whose answers to each session are made by `answer`. */
function start(answer: (signal: AbortSignal) => Promise<PassThrough>) {
  const happened: string[] = [];
  const connection = { draining: false } as PeerConnection;
  const loop = new SessionReader(
    { ...common, client: { open: (_definition, _asked, signal) => answer(signal) as Promise<never> } },
    {
      connected: () => {
        happened.push('connected');
        return Promise.resolve(connection);
      },
      onMessage: ({ type }) => happened.push(type),
      onMalformed: (problem) => happened.push(`malformed: ${problem}`),
      onClosed: (error) => happened.push(`closed: ${(error as Error).message}`),
      onMoved: () => happened.push('moved'),
      onStuck: (times) => happened.push(`stuck ${times}`),
    },
  );
  const stop = new AbortController();
  stops.push(stop);
  void loop.run(stop.signal);
  return { loop, happened };
}

const heartbeat = `${JSON.stringify({ type: 'heartbeat', now: 0 })}\n`;

describe('the session with a peer', () => {
  it.each([
    ['opens a session and says nothing', () => Promise.resolve(new PassThrough())],
    ['does not even answer', () => new Promise<PassThrough>(() => {})],
  ])('is given up when the peer %s', async (_what, answer) => {
    const { happened } = start(answer);
    await eventually(() => happened.includes('stuck 2'));
    expect(happened.slice(0, 3)).toEqual(['connected', 'closed: no answer in time', 'stuck 1']);
  });

  it('may be silent after its first message: who watches heartbeats decides', async () => {
    const { happened } = start(async () => {
      const stream = new PassThrough();
      stream.write(heartbeat);
      return stream;
    });
    await eventually(() => happened.includes('heartbeat'));
    await fastClock.sleep(2_500);
    expect(happened).toEqual(['connected', 'heartbeat']);
  });

  it('is opened at once on the connection that takes over', async () => {
    const streams: PassThrough[] = [];
    const { loop, happened } = start(async () => {
      const stream = new PassThrough();
      streams.push(stream);
      stream.write(heartbeat);
      return stream;
    });
    await eventually(() => happened.includes('heartbeat'));
    loop.restart();
    await eventually(() => happened.filter((one) => one === 'heartbeat').length === 2);
    expect(streams[0]?.destroyed).toBe(true);
    expect(happened).toEqual(['connected', 'heartbeat', 'moved', 'connected', 'heartbeat']);
  });

  it('is not broken off by the news of the connection that it is opened on', async () => {
    const waiting: (() => void)[] = [];
    const happened: string[] = [];
    const connection = { draining: false } as PeerConnection;
    const loop = new SessionReader(
      {
        ...common,
        client: {
          open: async () => {
            const stream = new PassThrough();
            stream.write(heartbeat);
            return stream as never;
          },
        },
      },
      {
        connected: () => new Promise((resolve) => waiting.push(() => resolve(connection))),
        onMessage: ({ type }) => happened.push(type),
        onMalformed: (problem) => happened.push(problem),
        onClosed: (error) => happened.push((error as Error).message),
        onMoved: () => happened.push('moved'),
        onStuck: () => happened.push('stuck'),
      },
    );
    const stop = new AbortController();
    stops.push(stop);
    void loop.run(stop.signal);
    for (const resolve of waiting) resolve();
    loop.restart();
    await eventually(() => happened.length > 0);
    expect(happened).toEqual(['heartbeat']);
  });
});
