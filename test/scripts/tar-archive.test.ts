import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLayer } from '../../scripts/image/oci-image.ts';
import { asFileTree, packTar, readTar, type TarEntry } from '../../scripts/image/tar-archive.ts';

const text = (path: string, content = path): TarEntry => ({ kind: 'file', path, data: Buffer.from(content) });

async function listOf(archive: Buffer) {
  const entries = [];
  for await (const entry of readTar(archive)) entries.push(entry);
  return entries;
}

describe('file tree', () => {
  it('has every directory that a path implies, before what it holds', () => {
    expect(asFileTree([text('usr/bin/x'), text('etc/hosts')]).map((entry) => entry.path)).toEqual([
      'etc',
      'etc/hosts',
      'usr',
      'usr/bin',
      'usr/bin/x',
    ]);
  });

  it('keeps the mode of a directory that is named', () => {
    const tree = asFileTree([text('tmp/x'), { kind: 'directory', path: 'tmp', mode: 0o1777 }]);
    expect(tree[0]).toMatchObject({ path: 'tmp', mode: 0o1777 });
  });

  it('does not depend on the order of its entries', async () => {
    const paths = fc.uniqueArray(fc.stringMatching(/^[a-c]{1,3}\/[d-f]{1,3}$/), { minLength: 1 });
    const pair = paths.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    await fc.assert(
      fc.asyncProperty(pair, async ([list, shuffled]) => {
        const first = await createLayer(list.map((path) => text(path)));
        const second = await createLayer(shuffled.map((path) => text(path)));
        expect(second.digest).toBe(first.digest);
      }),
    );
  });
});

describe('tar archive', () => {
  it('holds content, modes and links, and no time or owner of the machine', async () => {
    const long = `${'deep/'.repeat(30)}file`;
    const archive = await packTar([
      { kind: 'directory', path: 'tmp', mode: 0o1777 },
      { kind: 'file', path: 'run', data: Buffer.from('x'), mode: 0o755 },
      { kind: 'symlink', path: 'link', target: '/run' },
      text(long),
    ]);
    const entries = await listOf(archive);
    expect(entries).toMatchObject([
      { path: 'tmp/', type: 'directory', mode: 0o1777 },
      { path: 'run', type: 'file', mode: 0o755, data: Buffer.from('x') },
      { path: 'link', type: 'symlink', linkname: '/run' },
      { path: long, type: 'file', mode: 0o644 },
    ]);
    for (const entry of entries) expect(entry).toMatchObject({ uid: 0, gid: 0, uname: '', mtime: new Date(0) });
  });

  it('can be read in part', async () => {
    for await (const entry of readTar(await packTar([text('first'), text('second')]))) {
      expect(entry.path).toBe('first');
      break;
    }
  });
});
