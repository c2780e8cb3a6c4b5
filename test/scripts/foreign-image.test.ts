import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { architectures, parseArchitecture } from '../../scripts/image/architecture.ts';
import { cachedFile } from '../../scripts/image/cache.ts';
import { checkPrograms } from '../../scripts/image/check-programs.ts';
import { unpackLayers, writeImageArchive } from '../../scripts/image/image-archive.ts';
import { pinnedNodePackage } from '../../scripts/image/node-binary.ts';
import { createLayer } from '../../scripts/image/oci-image.ts';

const root = join(import.meta.dirname, '..', '..');

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headcut-foreign-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('an image for another architecture', () => {
  test('is not made when a program in it is one of this machine', async () => {
    const layer = await createLayer([{ kind: 'file', path: 'bin/node', data: await readFile(process.execPath) }]);
    const [own, other] = process.arch === 'arm64' ? ['arm64', 'amd64'] : ['amd64', 'arm64'];
    await checkPrograms([layer], parseArchitecture(own ?? ''));
    await expect(checkPrograms([layer], parseArchitecture(other ?? ''))).rejects.toThrow(
      `bin/node is not a file for ${other}`,
    );
  });

  test('has the Node of the same version', async () => {
    const versions = await Promise.all(architectures.map(async (one) => (await pinnedNodePackage(root, one)).version));
    expect(new Set(versions).size).toBe(1);
  });
});

test('what comes into the cache out of an old archive is not taken for unused', async () => {
  const path = await cachedFile(join(folder, 'node'), async (temporary) => {
    await writeFile(temporary, 'of 1985');
    await utimes(temporary, new Date(0), new Date(0));
  });
  expect(await readFile(path, 'utf8')).toBe('of 1985');
});

test('the layers of an image are unpacked as they are in it, a folder each', async () => {
  const base = await createLayer([
    { kind: 'directory', path: 'tmp', mode: 0o1777 },
    { kind: 'file', path: 'bin/tool', data: Buffer.from('tool'), mode: 0o755 },
  ]);
  const app = await createLayer([{ kind: 'file', path: 'app', data: Buffer.from('app') }]);
  const image = { reference: 'x.test/x:1', architecture: parseArchitecture('arm64'), settings: {}, fingerprint: '' };
  const archive = join(folder, 'x.tar');
  await writeImageArchive(archive, { ...image, layers: [base, app] });
  await unpackLayers(archive, ['base', 'app'], join(folder, 'out'));
  expect((await stat(join(folder, 'out/base/tmp'))).mode & 0o7777).toBe(0o1777);
  expect((await stat(join(folder, 'out/base/bin/tool'))).mode & 0o777).toBe(0o755);
  expect(await readFile(join(folder, 'out/app/app'), 'utf8')).toBe('app');
  await expect(unpackLayers(archive, ['all'], join(folder, 'no'))).rejects.toThrow('has 2 layers, not all');
});
