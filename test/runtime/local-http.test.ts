import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CodedError } from '../../src/core/coded-error.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { isNoHttp, LocalCaller, type LocalRoute, serveLocalHttp } from '../../src/runtime/local-http.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { serveUnixSocket, type UnixSocket } from '../../src/runtime/unix-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'headcut-local-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'one.sock');

const routes = new Map<string, LocalRoute>([
  ['GET /echo', { bodyBytes: 0, answer: async ({ query }) => ({ said: query.get('say') }) }],
  ['PUT /length', { bodyBytes: 1_000, answer: async ({ text }) => ({ length: (JSON.parse(text) as string).length }) }],
  ['GET /never', { bodyBytes: 0, answer: () => new Promise(() => {}) }],
  ['GET /busy', { bodyBytes: 0, answer: () => Promise.reject(new CodedError('FailedPrecondition', 'not now')) }],
]);
const serve = (): Promise<UnixSocket> => serveLocalHttp(path, { routes, mode: 0o600, logger: silentLogger });

let server: UnixSocket;
let caller: LocalCaller;

beforeEach(async () => {
  server = await serve();
  caller = new LocalCaller({ path, unavailable: 'nobody is there', clock: systemClock });
});

afterEach(() => {
  caller.close();
  server.close();
});

const ask = (method: string, target: string, body?: string) =>
  caller.ask({ method, target, withinMs: 2_000, maxBytes: 1_000, ...(body === undefined ? {} : { body }) });

describe('HTTP between processes of a node', () => {
  it('answers one request after the other on one connection', async () => {
    const answers = await Promise.all(['a', 'b', 'c'].map((say) => ask('GET', `/echo?say=${say}`)));
    expect(answers.map(({ text }) => JSON.parse(text).said)).toEqual(['a', 'b', 'c']);
    expect(await ask('PUT', '/length', JSON.stringify('ä'.repeat(400)))).toEqual({
      status: 200,
      text: '{"length":400}',
    });
    expect(caller.generation).toBe(1);
  });

  it('says what is wrong by a code, and goes on', async () => {
    expect(await ask('GET', '/busy')).toMatchObject({
      status: 412,
      text: '{"code":"FailedPrecondition","message":"not now"}',
    });
    expect(await ask('GET', '/other')).toMatchObject({ status: 404 });
    expect(await ask('PUT', '/length', 'no JSON')).toMatchObject({ status: 500 });
    expect(await ask('PUT', '/length', JSON.stringify('x'.repeat(2_000)))).toMatchObject({ status: 429 });
    expect(await ask('GET', '/echo?say=still')).toMatchObject({ status: 200 });
  });

  it('shows that another process may be there now', async () => {
    await ask('GET', '/echo');
    server.close();
    await expect(ask('GET', '/echo')).rejects.toThrow('nobody is there');
    server = await serve();
    await ask('GET', '/echo');
    expect(caller.generation).toBeGreaterThan(1);
  });

  it('gives up where no answer comes, and is answered again after that', async () => {
    await expect(caller.ask({ method: 'GET', target: '/never', withinMs: 50, maxBytes: 1_000 })).rejects.toThrow(
      'nobody is there',
    );
    expect(await ask('GET', '/echo?say=again')).toMatchObject({ status: 200 });
  });

  it('knows who speaks something else', async () => {
    const other = join(folder, 'other.sock');
    const lines = await serveUnixSocket(other, {
      serve: (socket) => void socket.on('data', () => socket.write('not taken\n')),
      mode: 0o600,
      logger: silentLogger,
    });
    const asks = new LocalCaller({ path: other, unavailable: 'nobody', clock: systemClock });
    const error = await asks
      .ask({ method: 'GET', target: '/echo', withinMs: 2_000, maxBytes: 1_000 })
      .catch((err: unknown) => err);
    expect(isNoHttp(error)).toBe(true);
    lines.close();
    const gone = await asks
      .ask({ method: 'GET', target: '/echo', withinMs: 2_000, maxBytes: 1_000 })
      .catch((err: unknown) => err);
    expect([gone instanceof CodedError, isNoHttp(gone)]).toEqual([true, false]);
    asks.close();
  });

  it('is not stopped by what is no HTTP', async () => {
    const socket = connect(path);
    const answer = await new Promise<string>((resolve) => {
      socket.once('data', (bytes) => resolve(String(bytes)));
      socket.write('{"type":"report"}\n');
    });
    socket.destroy();
    expect(answer).toContain('400');
    expect(await ask('GET', '/echo')).toMatchObject({ status: 200 });
  });
});
