import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallHandlers } from '../../src/peering/serving.ts';
import type { Logger } from '../../src/runtime/logger.ts';
import { problemOf } from '../../src/wire/check.ts';
import type { CallDefinition } from '../../src/wire/definition.ts';
import { ENDPOINTS, POD_STREAM, STREAM_PATH, STREAMS } from '../../src/wire/endpoints.ts';
import { createMember, type TestMember } from '../core/membership/member-fixture.ts';
import { anyJson, nearMiss } from '../wire/near-misses.ts';
import { connectAs, startServer, type TestClient, type TestServer } from './peer-server-fixture.ts';

/** A member that says anything, at every definition there is: a new one is covered by being defined. */

let host: TestMember;
let hostile: TestMember;
let friend: TestMember;
let target: TestServer;
let client: TestClient;
let other: TestClient;
const closes: (() => unknown)[] = [];
const warned: { fields: Record<string, unknown>; message: string }[] = [];
const errors: unknown[] = [];
/** What got through to a handler and does not fit its definition. */
const unfit: string[] = [];

const logger = {
  debug: () => {},
  info: () => {},
  warn: (fields: Record<string, unknown>, message: string) => void warned.push({ fields, message }),
  error: (fields: unknown) => void errors.push(fields),
} as unknown as Logger;

/** Answers everything with what the definition wants least, and looks at what it got. */
function suspicious(): Partial<CallHandlers> {
  const handlers: Record<string, (request: Record<string, unknown>) => unknown> = {};
  for (const [name, definition] of Object.entries(ENDPOINTS) as [string, CallDefinition][])
    handlers[name] = (request) => {
      for (const part of ['params', 'query', 'body'] as const) {
        const schema = definition[part];
        const problem = schema === undefined || schema === 'kubernetes' ? undefined : problemOf(schema, request[part]);
        if (problem !== undefined) unfit.push(`${name} ${part}: ${problem}`);
      }
      return {};
    };
  const { logs: _logs, session: _session, ...json } = handlers;
  return json as unknown as Partial<CallHandlers>;
}

beforeAll(async () => {
  host = await createMember('host');
  hostile = await createMember('hostile');
  friend = await createMember('friend');
  // Rates are another matter: this member says more in a second than one may.
  target = await startServer(host, [hostile, friend], { logger, calls: suspicious(), clock: rushing() });
  const mine = connectAs(hostile, target, host);
  const others = connectAs(friend, target, host);
  client = mine.client;
  other = others.client;
  closes.push(mine.close, others.close, () => target.server.close());
});

afterAll(async () => {
  for (const close of closes) await close();
});

/** In whose time a minute passes between any two looks at the clock. */
function rushing() {
  let now = 0;
  return {
    now: () => Date.now(),
    monotonic: () => {
      now += 60_000;
      return now;
    },
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const timer = setTimeout(resolve, ms);
        signal?.addEventListener('abort', () => {
          clearTimeout(timer);
          reject(signal.reason);
        });
      }),
  };
}

const signal = (): AbortSignal => AbortSignal.timeout(10_000);
const serves = () => other.ask({ method: 'DELETE', path: '/v1/pods/a', signal: signal() });
const REFUSED = ['InvalidArgument', 'NotFound', 'ResourceExhausted', 'Unavailable', 'Conflict'];

/** Sends it; the answer is one that a program can act upon, and never that this member failed. */
async function send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<void> {
  const answer = await client
    .ask({ method, path, body, headers, signal: signal() })
    .then(() => 'answered')
    .catch((error: { code?: string }) => error.code);
  expect(['answered', ...REFUSED]).toContain(answer);
}

const fill = (path: string, texts: readonly string[]): string => {
  let at = 0;
  return path.replace(/:[a-z]+/g, () => encodeURIComponent(texts[at++ % texts.length] ?? 'x'));
};
const segments = fc.array(
  fc.oneof(fc.constantFrom('u1', 'n', 'exec', '..', '\u0000', 'x'.repeat(300)), fc.string({ minLength: 1 })),
  {
    minLength: 1,
    maxLength: 3,
  },
);
const queries = fc.dictionary(
  fc.constantFrom(
    'gracePeriodSeconds',
    'roster',
    'reach',
    'pods',
    'to',
    'from',
    'uid',
    'direct',
    'only_cpu_and_memory',
    'x',
  ),
  fc.oneof(fc.constantFrom('-1', '1e300', 'true', ''), fc.string()),
);
const calls = Object.entries(ENDPOINTS).filter(([name]) => name !== 'session') as [string, CallDefinition][];

describe('garbage in a request', () => {
  it.each(calls)('to %s is one error to its sender, and reaches no handler', async (_name, definition) => {
    const { method, path, body } = definition;
    const bodies = body === undefined ? fc.constant(undefined) : fc.oneof(nearMiss(body), anyJson);
    await fc.assert(
      fc.asyncProperty(segments, queries, bodies, async (texts, query, said) => {
        await send(method, `${fill(path, texts)}?${new URLSearchParams(query)}`, said);
      }),
      { numRuns: 40 },
    );
    await serves();
    expect(unfit).toEqual([]);
  });

  it('that is no JSON, or of another kind, is one error too', async () => {
    const { open, close } = connectAs(hostile, target, host);
    closes.push(close);
    for (const [, { method, path, body }] of calls) {
      if (body === undefined) continue;
      for (const text of ['{', 'nonsense', '\u0000', '{"__proto__":{"a":1}}', '1,', ''])
        for (const type of ['application/json', 'text/plain', 'application/xml', '']) {
          const head = `${method} ${fill(path, ['u1'])} HTTP/1.1\r\nhost: peer\r\nconnection: close\r\n`;
          const stream = await open(signal());
          stream.end(`${head}content-type: ${type}\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
          let answer = '';
          for await (const chunk of stream) answer += String(chunk);
          // Nothing at all is a lease of before protocol 5.
          expect(answer).toMatch(text === '' && body !== undefined ? /^HTTP\/1\.1 (4|2)\d\d / : /^HTTP\/1\.1 4\d\d /);
        }
    }
    await serves();
  });

  it('to streams and upgrades is refused', async () => {
    const names = [...Object.keys(STREAMS), 'none', '__proto__', 'constructor'].filter((name) => name !== 'relayed');
    for (const name of names)
      await fc.assert(
        fc.asyncProperty(queries, async (query) => {
          const answer = await client.upgrade({
            method: 'GET',
            path: `${STREAM_PATH.replace(':name', name)}?${new URLSearchParams(query)}`,
            headers: { connection: 'upgrade', upgrade: 'headcut-stream' },
            signal: signal(),
          });
          expect(answer.kind).toBe('answered');
          expect(REFUSED).toContain((await client.refusalOf(answer.message, signal())).code);
        }),
        { numRuns: 15 },
      );
    await fc.assert(
      fc.asyncProperty(segments, queries, async (texts, query) => {
        const path = `${fill(POD_STREAM.path, texts)}?${new URLSearchParams(query)}`;
        const headers = { connection: 'upgrade', upgrade: 'websocket' };
        const answer = await client.upgrade({ method: 'GET', path, headers, signal: signal() });
        expect(answer.kind).toBe('answered');
        expect(REFUSED).toContain((await client.refusalOf(answer.message, signal())).code);
      }),
      { numRuns: 30 },
    );
    await serves();
  });

  it('is said once of each kind in the log, with who sent it, and never as a failure of this member', () => {
    expect(errors).toEqual([]);
    const said = warned
      .filter(({ fields }) => fields.what !== undefined)
      .map(({ fields }) => `${fields.id} ${fields.what}`);
    expect(new Set(said).size).toBe(said.length);
    expect(said.length).toBeGreaterThan(5);
    expect(said.every((line) => line.startsWith(hostile.id))).toBe(true);
  });
});
