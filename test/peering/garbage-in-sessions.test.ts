import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { PeerConnection } from '../../src/peering/peer-connection.ts';
import { SessionReader } from '../../src/peering/session-reader.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { problemOf } from '../../src/wire/check.ts';
import type { MessageDefinition } from '../../src/wire/definition.ts';
import { MAX_MESSAGE_CHARS, MESSAGES, type SessionMessage } from '../../src/wire/messages.ts';
import { fastClock } from '../agent/membership/federation-fixture.ts';
import { anyJson, nearMiss } from '../wire/near-misses.ts';
import { eventually } from './peer-server-fixture.ts';

/** A peer that says anything in its session, for every message there is: a new one is covered by being defined. */

const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

/** Reads what `say` writes into each session that is opened. */
function listen(say: (stream: PassThrough) => void) {
  const heard: SessionMessage[] = [];
  const malformed: { problem: string; type: string | undefined }[] = [];
  const ends: string[] = [];
  let sessions = 0;
  const connection = { draining: false } as PeerConnection;
  const reader = new SessionReader(
    {
      name: 'peer-b',
      client: {
        open: async () => {
          sessions += 1;
          const stream = new PassThrough();
          say(stream);
          return stream as never;
        },
      },
      maxListChars: () => 2 * MAX_MESSAGE_CHARS,
      clock: fastClock,
      random: () => 0.5,
    },
    {
      connected: async () => connection,
      onMessage: (message) => void heard.push(message),
      onMalformed: (problem, type) => void malformed.push({ problem, type }),
      onClosed: (error) => void ends.push((error as Error).message),
      onMoved: () => {},
      onStuck: () => {},
    },
  );
  const stop = new AbortController();
  stops.push(stop);
  void reader.run(stop.signal);
  return { heard, malformed, ends, stop, sessions: () => sessions };
}

const END = { type: 'bye', last: true };
const lines = (messages: unknown[]): string => messages.map((one) => `${JSON.stringify(one)}\n`).join('');
const isEnd = (message: SessionMessage): boolean => (message as { last?: boolean }).last === true;

describe('garbage in a session', () => {
  it.each(Object.entries(MESSAGES) as [SessionMessage['type'], MessageDefinition][])(
    'as a %s is passed over with one error that names the peer, and what follows is heard',
    async (type, { fields }) => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.oneof(nearMiss(fields), anyJson), { minLength: 1, maxLength: 5 }),
          async (said) => {
            const messages = said.map((one) => ({ ...(one as object), type }));
            const wrong = messages.filter((one) => problemOf(fields, JSON.parse(JSON.stringify(one))) !== undefined);
            const { heard, malformed, ends, stop } = listen((stream) => void stream.write(lines([...messages, END])));
            await eventually(() => heard.some(isEnd));
            stop.abort();
            expect(heard).toHaveLength(messages.length - wrong.length + 1);
            expect(malformed).toHaveLength(wrong.length);
            for (const { problem } of malformed) expect(problem).toContain('peer-b');
            expect(ends).toEqual([]);
          },
        ),
        { numRuns: 25 },
      );
    },
  );

  it('of kinds that nobody knows is passed over', async () => {
    const said = [{ type: 'from-the-future', x: [1] }, { type: 'constructor' }, { type: '__proto__' }];
    const { heard, malformed } = listen((stream) => void stream.write(lines([...said, END])));
    await eventually(() => heard.some(isEnd));
    expect([heard.length, malformed]).toEqual([1, []]);
  });

  it.each([
    ['no JSON', 'GET / HTTP/1.1'],
    ['no object', '7'],
    ['nothing', 'null'],
    ['of no type', '{}'],
    ['of a type that is none', '{"type":{}}'],
    ['binary', '\u0000\u0001'],
    ['too long', `{"type":"offer","x":"${'x'.repeat(MAX_MESSAGE_CHARS)}"}`],
    ['too long without an end', 'x'.repeat(MAX_MESSAGE_CHARS + 1)],
    ['a list of all pods that is too long', `{"type":"pods","pods":["${'x'.repeat(3 * MAX_MESSAGE_CHARS)}`],
    ['a list of one giant', `{"type":"pods","pods":["${'x'.repeat(MAX_MESSAGE_CHARS + 10)}"]}`],
    ['a list of what are no pods', `{"type":"pods","pods":[${'{"uid":1},'.repeat(120_000)}{}]}`],
  ])(
    'that is %s ends the session with one error that names the peer, and is tried again ever more rarely',
    async (_what, line) => {
      const { malformed, ends, sessions, stop } = listen((stream) => {
        stream.write(lines([{ type: 'hello', id: 'b', protocol: 1, version: '0' }]));
        stream.write(`${line}\n`);
      });
      await eventually(() => ends.length === 1);
      expect(ends[0]).toContain('peer-b');
      expect(malformed).toMatchObject([{ type: undefined, problem: expect.stringContaining('peer-b') }]);
      await systemClock.sleep(1_500);
      stop.abort();
      // Doubling from a quarter of a second, in a time that runs twice as fast.
      expect(sessions()).toBeLessThanOrEqual(5);
    },
  );

  it('that never ends is read no faster than a peer may speak', async () => {
    const heartbeat = lines([{ type: 'heartbeat' }]);
    const { heard, stop } = listen((stream) => {
      for (let i = 0; i < 20_000; i += 1) stream.write(heartbeat);
    });
    await eventually(() => heard.length >= 10_000);
    await systemClock.sleep(500);
    stop.abort();
    expect(heard.length).toBeLessThan(13_000);
  });
});
