import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundleEntry, cliEntry, cliMainEntry, heaviestInputs } from '../../scripts/bundle.ts';

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

describe('the bundle of the command line', () => {
  const repository = join(import.meta.dirname, '../..');
  let folder = '';
  const node = async (...args: string[]) => {
    // The folder of compiled code is where a user's is.
    const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache') };
    return (await promisify(execFile)(process.execPath, args, { env, cwd: folder })).stdout;
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headcut-bundle-'));
    for (const entry of [cliEntry, cliMainEntry]) {
      const { code } = await bundleEntry(entry, { root: repository });
      await writeFile(join(folder, entry.output), code);
    }
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('answers what needs no cluster without loading what talks to one, in little time', async () => {
    const wrapper = `process.argv.push('headcut', 'version', '--client'); await import('./headcut.mjs');
      console.log(process.moduleLoadList.filter((name) => /NativeModule (https?|http2|tls)$/.test(name)).length);`;
    expect((await node('--input-type=module', '-e', wrapper)).split('\n')).toEqual([
      expect.stringMatching(/^headcut \d/),
      '0',
      '',
    ]);
    const begin = performance.now();
    await node('headcut.mjs', 'version', '--client');
    // 0.1 s on a quiet machine, half of it node itself; the bound is for one that is busy.
    expect(performance.now() - begin).toBeLessThan(2_000);
  });

  it('reads kubeconfigs', async () => {
    const cluster = { name: 'one', cluster: { server: 'https://127.0.0.1:1' } };
    const contexts = ['left', 'right'].map((name) => ({ name, context: { cluster: 'one', user: 'me' } }));
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [cluster],
      contexts,
      users: [{ name: 'me', user: {} }],
    };
    await writeFile(join(folder, 'kubeconfig'), JSON.stringify(config));
    const words = ['--kubeconfig', join(folder, 'kubeconfig'), 'status', '--context', ''];
    expect(await node('headcut.mjs', '__complete', '--', ...words)).toBe('left\nright\n');
  });

  it('says what to do where no console is beside it, as in the image', async () => {
    const clusters = [{ name: 'one', cluster: { server: 'https://127.0.0.1:1' } }];
    const contexts = [{ name: 'left', context: { cluster: 'one', user: 'me' } }];
    const config = { apiVersion: 'v1', kind: 'Config', clusters, contexts, users: [{ name: 'me', user: {} }] };
    await writeFile(join(folder, 'kubeconfig'), JSON.stringify({ ...config, 'current-context': 'left' }));
    await expect(node('headcut.mjs', 'console', '--kubeconfig', join(folder, 'kubeconfig'))).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^error: this headcut has no console beside it.*with the command from its package \(npx headcut console\)[^:\n]*\n$/,
      ),
    });
  });
});
