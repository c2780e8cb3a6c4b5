import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { CodedError } from '../../src/core/coded-error.ts';
import { requestJoin } from '../../src/peering/join-client.ts';
import { PeerClient } from '../../src/peering/peer-client.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { problemOf } from '../../src/wire/check.ts';
import type { CallDefinition } from '../../src/wire/definition.ts';
import { ENDPOINTS, JOIN } from '../../src/wire/endpoints.ts';
import { createMember } from '../core/membership/member-fixture.ts';
import { failureOf } from '../wire/coded-failure.ts';
import { anyJson, nearMiss } from '../wire/near-misses.ts';

/** A peer that answers anything, to every call there is: a new one is covered by being defined. */

const NAME = 'peer-with-a-name';
const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A client of a peer that answers every request with these bytes. */
function clientOf(answer: (there: Duplex) => void): PeerClient {
  return new PeerClient(
    () => NAME,
    async () => {
      const [here, there] = duplexPair();
      there.on('error', () => {});
      there.once('data', () => answer(there));
      return here;
    },
  );
}

const http = (status: number, body: string, type = 'application/json'): string =>
  `HTTP/1.1 ${status} x\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** Anything may be asked: it is the answer that counts. */
const ASKED = { params: { uid: 'u', namespace: 'n', container: 'c' }, query: {}, body: {} };
type Asked = Parameters<PeerClient['call']>[1];

const CALLS = Object.entries({ ...ENDPOINTS, join: JOIN }).filter(([, { reply }]) => typeof reply !== 'string') as [
  string,
  CallDefinition,
][];

const call = (definition: CallDefinition, answer: (there: Duplex) => void, signal = AbortSignal.timeout(5_000)) =>
  clientOf(answer).call(definition, ASKED as Asked, signal);

describe.each(CALLS)('the answer to %s', (_name, definition) => {
  const schema = definition.reply as object;

  it('is what the definition says, or one error that names who answered', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(nearMiss(schema), anyJson), async (said) => {
        const text = JSON.stringify(said);
        const asked = call(definition, (there) => void there.end(http(200, text)));
        if (problemOf(schema, JSON.parse(text)) === undefined) await asked;
        else expect(await failureOf(asked)).toMatchObject({ code: 'Internal', message: expect.stringContaining(NAME) });
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['no JSON', http(200, '<html>')],
    ['half of it', http(200, '{"records":[')],
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['binary', '\u0000\u0001\u0002'],
    ['an upgrade unasked', 'HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: y\r\n\r\n'],
    ['less than it says', 'HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\n{}'],
    ['an error that is none', http(500, 'boom')],
    ['an error with a code of its own', http(418, '{"code":"Teapot","message":7}')],
  ])('is one error that names who answered when it is %s', async (_what, bytes) => {
    const error = await failureOf(call(definition, (there) => void there.end(bytes)));
    expect(error.message).toContain(NAME);
  });

  it('is one error when it is larger than it may be, and is not read to its end', async () => {
    const { replyBytes = 0 } = definition;
    let sent = 0;
    const endless = (there: Duplex): void => {
      there.write('HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n');
      const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
      const more = (): void => {
        while (!there.destroyed && sent < 2 * replyBytes + 1_000_000) {
          sent += 65_536;
          if (!there.write(chunk)) return void there.once('drain', more);
        }
      };
      more();
    };
    const error = await failureOf(call(definition, endless));
    expect(error).toMatchObject({ code: 'ResourceExhausted', message: expect.stringContaining(NAME) });
    expect(sent).toBeLessThan(replyBytes + 1_000_000);
  });

  it('is one error when it does not come, or not to its end', async () => {
    for (const bytes of ['', 'HTTP/1.1 200 x\r\n', 'HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\n{']) {
      const late = new AbortController();
      const asked = failureOf(call(definition, (there) => void (bytes === '' || there.write(bytes)), late.signal));
      await systemClock.sleep(20);
      late.abort(new CodedError('Unavailable', 'no answer in time'));
      expect(await asked).toMatchObject({ code: 'Unavailable', message: expect.stringContaining(NAME) });
    }
  });
});

it.each(['<html>', '{}', '[]', 'null', '', '{"records":7}'])(
  'an inviter that answers %j costs the newcomer one error, and nothing else',
  async (text) => {
    const [inviter, newcomer] = [await createMember('inviter'), await createMember('newcomer')];
    const server = createServer({ key: inviter.key, cert: inviter.certificate }, (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(
      () => server.closeAllConnections(),
      () => server.close(),
    );
    const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const request = { record: newcomer.record, invitation: 'a', secret: 's', signature: 'AA' };
    const asked = requestJoin(endpoint, { id: inviter.id }, request, AbortSignal.timeout(5_000));
    expect(await failureOf(asked)).toMatchObject({ code: 'Internal', message: expect.stringContaining(endpoint) });
  },
);
