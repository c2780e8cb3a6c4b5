import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { architectures, parseArchitecture } from '../../scripts/image/architecture.ts';
import { readTar } from '../../scripts/image/tar-archive.ts';

const root = join(import.meta.dirname, '..', '..');
/** Downloads of Node and Debian packages, and wireguard-go with Go's own library for the other architecture. */
const COLD_MS = 9 * 60_000;

let folder = '';
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Path → bytes of what is in the layers of an image. */
async function sizesOf(archive: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for await (const blob of readTar(await readFile(archive))) {
    if (!blob.path.startsWith('blobs/') || blob.data[0] === '{'.charCodeAt(0)) continue;
    for await (const { path, data } of readTar(blob.data)) sizes[path] = data.length;
  }
  return sizes;
}

test(
  'scripts/build-image makes the image for the other architecture, with nothing missing and Node stripped',
  async () => {
    const own = parseArchitecture(process.arch);
    const other = architectures.find((architecture) => architecture !== own);
    if (other === undefined) throw new Error('there is no other architecture');
    folder = await mkdtemp(join(tmpdir(), 'headcut-foreign-image-'));
    const args = ['--arch', other.name, '--out', folder, 'headcut'];
    await promisify(execFile)(join(root, 'scripts', 'build-image'), args, { cwd: root, timeout: COLD_MS });
    const archive = join(folder, 'headcut.tar');
    const sizes = await sizesOf(archive);
    const programs = ['node', 'nft', 'ip', 'wg', 'wireguard-go'].map((name) => `usr/local/bin/${name}`);
    const bundles = ['agent.mjs', 'network.mjs', 'gate.mjs', 'headcut.mjs', 'headcut-main.cjs'].map(
      (name) => `app/${name}`,
    );
    for (const path of [...programs, ...bundles]) expect(sizes[path], path).toBeGreaterThan(0);
    expect(Object.keys(sizes)).toContain(`lib/${other.triplet}/libstdc++.so.6`);
    expect(sizes['usr/local/bin/node']).toBeLessThan(115_000_000);
  },
  COLD_MS,
);
