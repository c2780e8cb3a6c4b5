import { mkdirSync, readdirSync } from 'node:fs';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run as runCommandLine } from './run.ts';

/** A command line on a machine without any cluster. */
async function run(...argv: string[]) {
  const { code, out, error } = await runCommandLine(argv);
  return { code, out: out.trimEnd(), error: error.trimEnd() };
}

describe('headcut install and uninstall', () => {
  test('with --k0s work on the machine of k0s alone', async () => {
    await using folder = await mkdtempDisposable(join(tmpdir(), 'headcut-stack-'));
    mkdirSync(join(folder.path, 'manifests'));
    const { code, out } = await run('install', '--k0s', '--data-dir', folder.path, '-o', 'json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({ file: join(folder.path, 'manifests', 'headcut', 'headcut.yaml') });
    expect(readdirSync(join(folder.path, 'manifests'))).toEqual(['headcut']);
  });

  test('say why they could not', async () => {
    expect(await run('install')).toEqual({ code: 1, out: '', error: 'error: no cluster here' });
    const stack = await run('install', '--k0s', '--data-dir', '/nonexistent');
    expect(stack.error).toContain('there is no /nonexistent/manifests');
  });

  test.each([
    [['install', '--what'], "Unknown option '--what'"],
    [['install', '--data-dir', '/x'], '--data-dir belongs to --k0s'],
    [['uninstall', '--image', 'x'], 'headcut uninstall has no --image'],
    [['install', '-o', 'yaml'], '-o takes json'],
    [['--context', 'a', 'install', 'b'], 'headcut install takes no "b"'],
  ])('refuse %j as wrong usage', async (argv, message) => {
    const { code, error } = await run(...argv);
    expect(code).toBe(2);
    expect(error).toContain(message);
  });

  test('are in the help', async () => {
    expect((await run('help')).out).toContain('uninstall [--timeout 30s]');
  });
});
