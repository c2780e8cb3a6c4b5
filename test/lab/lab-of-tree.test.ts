import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { runLabOfTree } from '../../src/lab/lab-of-tree.ts';

const root = mkdtempSync(join(tmpdir(), 'headcut-tree-'));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function file(path: string, text = '#!/bin/sh\n'): string {
  const at = join(root, path);
  mkdirSync(dirname(at), { recursive: true });
  writeFileSync(at, text);
  chmodSync(at, 0o755);
  return at;
}

describe('headcut lab', () => {
  test.each(['src/bin/cli.ts', 'dist/headcut.mjs'])(
    'is the lab of the tree in which the command %s lies',
    async (path) => {
      file('scripts/lab', '#!/bin/sh\n[ "$*" = "shell b -- true" ] && exit 5\n');
      const link = join(root, 'headcut');
      symlinkSync(file(path), link);
      expect(await runLabOfTree(link, ['shell', 'b', '--', 'true'])).toBe(5);
    },
  );

  test('says where it is to be had when the command was installed alone', async () => {
    await expect(runLabOfTree(file('bin/headcut'), ['up'])).rejects.toThrow(/source tree.*\.\/scripts\/lab/);
  });
});
