import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleEntry, heaviestInputs } from '../../scripts/bundle.ts';

const entry = { source: 'src/main.ts', output: 'main.mjs' };

describe('bundle', () => {
  let root = '';
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'headcut-bundle-'));
    await mkdir(join(root, 'src'));
    await mkdir(join(root, 'node_modules/old'), { recursive: true });
    await writeFile(
      join(root, 'node_modules/old/index.js'),
      `const path = require('node:path'); exports.here = path.basename(__filename); exports.load = (name) => require(name);`,
    );
    await writeFile(
      join(root, 'src/main.ts'),
      `import { here, load } from 'old';
       class SpecialError extends Error {}
       console.log(JSON.stringify([here, load('node:os').EOL, SpecialError.name, process.env.NODE_ENV]));`,
    );
  });
  afterEach(() => rm(root, { recursive: true }));

  it('runs alone, CommonJS dependencies and class names included', async () => {
    const { code } = await bundleEntry(entry, { root });
    await rm(join(root, 'node_modules'), { recursive: true });
    const path = join(root, 'main.mjs');
    await writeFile(path, code);
    const { stdout } = await promisify(execFile)(process.execPath, [path]);
    expect(JSON.parse(stdout)).toEqual(['main.mjs', '\n', 'SpecialError', 'production']);
    expect(code.toString()).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it('has the same bytes when made again', async () => {
    const [first, second] = await Promise.all([bundleEntry(entry, { root }), bundleEntry(entry, { root })]);
    expect(second.code.equals(first.code)).toBe(true);
  });

  it('tells which packages weigh how much', async () => {
    const { metafile } = await bundleEntry(entry, { root });
    expect(
      heaviestInputs(metafile)
        .map(({ input }) => input)
        .sort(),
    ).toEqual(['old', 'src/main.ts']);
  });
});
