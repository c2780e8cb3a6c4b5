import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { LocalCaller } from '../../src/runtime/local-http.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { serveUnixSocket } from '../../src/runtime/unix-socket.ts';
import { askBeside } from '../../src/wire/ask-beside.ts';
import { GUARD_CALLS, NETWORK_CALLS } from '../../src/wire/beside.ts';
import { problemOf } from '../../src/wire/check.ts';
import type { CallDefinition } from '../../src/wire/definition.ts';
import { failureOf } from './coded-failure.ts';
import { anyJson, nearMiss } from './near-misses.ts';

/** A process beside the agent that answers anything, to every call there is: a new one is covered by being defined. */

const WHO = 'the process beside';
const folder = mkdtempSync(join(tmpdir(), 'headcut-beside-'));
afterAll(() => rmSync(folder, { recursive: true }));
const cleanups: (() => unknown)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

type LocalCall = CallDefinition & { withinMs: number; replyBytes: number };
const CALLS: [string, LocalCall][] = Object.entries({ ...NETWORK_CALLS, ...GUARD_CALLS });

/** Asks a process that answers each request by `answer`. */
async function start(definition: LocalCall, answer: (there: Socket) => void) {
  const path = join(folder, 'one.sock');
  const serve = (socket: Socket): void => void socket.on('data', () => answer(socket));
  const server = await serveUnixSocket(path, { serve, mode: 0o600, logger: silentLogger });
  const caller = new LocalCaller({ path, unavailable: `${WHO} does not answer`, clock: systemClock });
  cleanups.push(
    () => server.close(),
    () => caller.close(),
  );
  const asked = { query: { range: '192.0.2.0/24' }, body: {} };
  return () => askBeside(caller, WHO, definition, asked as unknown as Parameters<typeof askBeside<LocalCall>>[3]);
}

const http = (status: number, body: string): string =>
  `HTTP/1.1 ${status} x\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

describe.each(CALLS)('the answer to %s from beside', (_name, definition) => {
  const schema = definition.reply as object;

  it('is what the definition says, or one error that names who answered', async () => {
    let text = '';
    const ask = await start(definition, (there) => void there.write(http(200, text)));
    await fc.assert(
      fc.asyncProperty(fc.oneof(nearMiss(schema), anyJson), async (said) => {
        text = JSON.stringify(said);
        if (problemOf(schema, JSON.parse(text)) === undefined) await ask();
        else expect(await failureOf(ask())).toMatchObject({ code: 'Internal', message: expect.stringContaining(WHO) });
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['no JSON', http(200, '<html>')],
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['binary', '\u0000\u0001\u0002'],
    ['an upgrade unasked', 'HTTP/1.1 101 x\r\nconnection: upgrade\r\nupgrade: y\r\n\r\n'],
    ['less than it says', 'HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\n{}'],
    ['an error that is none', http(500, 'boom')],
    ['an error with a code of its own', http(418, '{"code":"Teapot","message":7}')],
    ['nothing', ''],
  ])('is one error that names who answered when it is %s', async (_what, bytes) => {
    const ask = await start(definition, (there) => void there.end(bytes));
    expect((await failureOf(ask())).message).toContain(WHO);
    // And the next one as well.
    expect((await failureOf(ask())).message).toContain(WHO);
  });

  it('is one error when it is larger than it may be', async () => {
    const length = `content-length: ${8 * definition.replyBytes}`;
    const part = 'x'.repeat(definition.replyBytes);
    const ask = await start(definition, (there) => {
      there.write(`HTTP/1.1 200 x\r\n${length}\r\n\r\n${part}`);
      there.write(part);
    });
    const error = await failureOf(ask());
    expect(error.message).toContain(WHO);
    expect(String((error.cause as Error).message)).toContain('more than');
  });
});
