import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');
const BINARY = Buffer.from('#!/bin/sh\necho a k0s of this test\n');
const SHA256 = createHash('sha256').update(BINARY).digest('hex');

/** A release server on loopback that knows ranges, as the real one does. */
async function startReleases(body = BINARY) {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = { 'content-range': `bytes ${from}-${body.length - 1}/${body.length}` };
    response.writeHead(from === 0 ? 200 : 206, from === 0 ? {} : range).end(body.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, ranges, [Symbol.dispose]: () => void server.close() };
}

/** Runs a function of scripts/lib.sh; gives the k0s it found, or its error. */
function k0sOf(call: string, environment: Record<string, string>): Promise<{ path: string; error: string }> {
  const script = `. "${ROOT}/scripts/lib.sh"; ${call}; printf %s "$HEADCUT_K0S"`;
  const env = { PATH: '/usr/bin:/bin', HOME: '/nonexistent', ...environment };
  return new Promise((resolve) =>
    execFile('bash', ['-c', script], { env }, (_error, path, error) => resolve({ path, error })),
  );
}

describe('the k0s of a lab', () => {
  test('is the one that the user names, before all others', async () => {
    const given = await k0sOf('ensure_k0s', { HEADCUT_K0S: '/bin/true', HEADCUT_CACHE: '/nonexistent' });
    expect(given.path).toMatch(/\/true$/);
    const missing = await k0sOf('find_k0s', { HEADCUT_K0S: '/nonexistent/k0s', HEADCUT_CACHE: '/nonexistent' });
    expect(missing.error).toContain('HEADCUT_K0S is /nonexistent/k0s, which is no program');
  });

  test('is the one on the PATH, and is not looked for elsewhere', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'headcut-k0s-'));
    writeFileSync(join(folder.path, 'k0s'), BINARY, { mode: 0o755 });
    const found = await k0sOf('ensure_k0s', { PATH: `${folder.path}:/usr/bin:/bin`, HEADCUT_CACHE: '/nonexistent' });
    expect(found.path).toBe(join(folder.path, 'k0s'));
  });

  test('is never downloaded without being asked for', async () => {
    expect(await k0sOf('find_k0s', { HEADCUT_CACHE: '/nonexistent' })).toEqual({ path: '', error: '' });
  });

  test('is downloaded once, goes on where a download stopped, and is found from then on', async () => {
    await using cache = await mkdtempDisposable(join(tmpdir(), 'headcut-k0s-'));
    using releases = await startReleases();
    const environment = { HEADCUT_CACHE: cache.path, K0S_RELEASES: releases.url, K0S_SHA256: SHA256 };
    const folder = join(cache.path, 'k0s-v1.36.3+k0s.0');
    mkdirSync(folder);
    writeFileSync(join(folder, 'k0s.part'), BINARY.subarray(0, 10));
    const first = await k0sOf('ensure_k0s', environment);
    expect(first.path).toBe(join(folder, 'k0s'));
    expect(readFileSync(first.path)).toEqual(BINARY);
    expect(releases.ranges).toEqual(['bytes=10-']);
    expect((await k0sOf('ensure_k0s', environment)).path).toBe(first.path);
    expect((await k0sOf('find_k0s', environment)).path).toBe(first.path);
    expect(releases.ranges).toHaveLength(1);
  });

  test('is refused when it is not what was pinned, and nothing of it is kept', async () => {
    await using cache = await mkdtempDisposable(join(tmpdir(), 'headcut-k0s-'));
    using releases = await startReleases(Buffer.from('something else'));
    const environment = { HEADCUT_CACHE: cache.path, K0S_RELEASES: releases.url };
    expect((await k0sOf('ensure_k0s', environment)).error).toContain('is not k0s v1.36.3+k0s.0');
    expect((await k0sOf('find_k0s', environment)).path).toBe('');
  });

  test('that cannot be downloaded is told with what to do instead', async () => {
    await using cache = await mkdtempDisposable(join(tmpdir(), 'headcut-k0s-'));
    const environment = { HEADCUT_CACHE: cache.path, K0S_RELEASES: 'http://127.0.0.1:9' };
    const { path, error } = await k0sOf('ensure_k0s', environment);
    expect(path).toBe('');
    expect(error).toContain('give it as HEADCUT_K0S=/path/to/k0s, or use --provider kubernetes');
  });
});
