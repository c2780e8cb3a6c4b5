import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { buildPackage } from '../../scripts/package/build-package.ts';

const root = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

let folder = '';
let archive = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headcut-package-'));
  archive = await buildPackage(root, folder);
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

/** What a user's shell has, with what they installed before all else. */
function environment(bin: string): NodeJS.ProcessEnv {
  const path = [bin, dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(':');
  return { PATH: path, HOME: folder, XDG_CACHE_HOME: join(folder, 'cache'), npm_config_update_notifier: 'false' };
}

/** An empty folder in which the package was installed, without a registry. */
async function install(): Promise<{ project: string; bin: string }> {
  const project = await mkdtemp(join(folder, 'project-'));
  const bin = join(project, 'node_modules', '.bin');
  await writeFile(join(project, 'package.json'), '{}');
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', archive], {
    cwd: project,
    env: environment(bin),
  });
  return { project, bin };
}

describe('the npm package', () => {
  test('is small, and has the program, its licence and those of what is in it', async () => {
    expect((await stat(archive)).size).toBeLessThan(800_000);
    const { stdout } = await run('tar', ['-tzf', archive]);
    expect(stdout.trim().split('\n').sort()).toEqual(
      [
        ...['LICENSE', 'README.md', 'THIRD-PARTY-LICENSES'],
        ...['icon.svg', 'index.html', 'page.css', 'page.js'].map((file) => `console/${file}`),
        ...['headcut-console.cjs', 'headcut.cjs', 'package.json'],
      ].map((file) => `package/${file}`),
    );
    const licences = await run('tar', ['-xOzf', archive, 'package/THIRD-PARTY-LICENSES']);
    const parts = ['undici', 'yaml', '@kubernetes/client-node', 'fastify', 'preact', 'qrcode-generator'];
    for (const name of parts) expect(licences.stdout).toContain(`\n${name} `);
    // That is the agent's.
    expect(licences.stdout).not.toContain('prom-client');
  });

  test('has the same bytes when made again', async () => {
    const again = join(folder, 'again');
    await mkdir(again);
    expect((await readFile(await buildPackage(root, again))).equals(await readFile(archive))).toBe(true);
  });

  test('installs alone, and is there as headcut, as kubectl-headcut and for npx', async () => {
    const { project, bin } = await install();
    expect((await readdir(join(project, 'node_modules'))).filter((name) => !name.startsWith('.'))).toEqual(['headcut']);
    const options = { cwd: project, env: environment(bin) };
    for (const command of [['headcut'], ['kubectl-headcut'], ['npx', '--offline', 'headcut']]) {
      const [file = '', ...args] = command;
      const { stdout } = await run(file, [...args, 'version'], options);
      expect(stdout).toContain(`headcut ${packageJson.version}\n`);
    }
    const help = await run('headcut', ['help', 'join'], options);
    expect(help.stdout).toContain('headcut join TOKEN');
    const lab = await run('headcut', ['lab', 'up'], options).catch((error) => error);
    expect([lab.code, lab.stderr]).toEqual([1, expect.stringContaining('belongs to the source tree')]);
  });

  test('carries the manifests that it installs', async () => {
    const { project, bin } = await install();
    const args = ['install', '--k0s', '--data-dir', project, '-o', 'json'];
    await mkdir(join(project, 'manifests'));
    const { stdout } = await run('headcut', args, { cwd: project, env: environment(bin) });
    const { file } = JSON.parse(stdout) as { file: string };
    expect(await readFile(file, 'utf8')).toContain(`headcut.dev/headcut:${packageJson.version}`);
  });

  test('has the console, whose page is small and needs nothing from elsewhere', { timeout: 60_000 }, async () => {
    const { project, bin } = await install();
    const reviews = createServer((asked, answer) => {
      asked.resume();
      answer.setHeader('content-type', 'application/json').end('{"status":{"allowed":false}}');
    });
    await new Promise<void>((resolve) => reviews.listen(0, '127.0.0.1', resolve));
    const server = `http://127.0.0.1:${(reviews.address() as { port: number }).port}`;
    const kubeconfig = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'me', users: [{ name: 'me', user: {} }] },
      clusters: [{ name: 'one', cluster: { server, 'insecure-skip-tls-verify': true } }],
      contexts: [{ name: 'me', context: { cluster: 'one', user: 'me' } }],
    };
    await writeFile(join(project, 'kubeconfig'), JSON.stringify(kubeconfig));
    const args = ['console', '--kubeconfig', join(project, 'kubeconfig')];
    const command = spawn(join(bin, 'headcut'), args, { cwd: project, env: environment(bin) });
    const [url] = (await once(command.stdout, 'data', { signal: AbortSignal.timeout(30_000) })).map((data) =>
      String(data).trim(),
    );
    const page = await fetch(url ?? '');
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<title>headcut</title>')]);
    const files = await Promise.all(
      ['page.js', 'page.css'].map(async (file) => Buffer.from(await (await fetch(url + file)).arrayBuffer())),
    );
    const compressed = files.reduce((sum, file) => sum + gzipSync(file).length, 0);
    expect(compressed).toBeLessThan(60_000);
    expect(
      files
        .join('')
        .match(/https?:\/\/[^\s"'`]+/g)
        ?.filter((one) => !one.includes('w3.org')) ?? [],
    ).toEqual([]);
    command.kill('SIGINT');
    expect(await once(command, 'exit')).toEqual([0, null]);
    reviews.close();
  });

  test('says which Node it needs to one that is too old', async () => {
    const { project } = await install();
    const program = join(project, 'node_modules', 'headcut', 'headcut.cjs');
    const asOlder = `Object.defineProperty(process.versions, 'node', { value: '18.20.0' }); require(${JSON.stringify(program)});`;
    const failure = await run(process.execPath, ['-e', asOlder]).catch((error) => error);
    expect(failure.code).toBe(1);
    expect(failure.stderr).toContain('error: headcut needs Node.js 24 or newer; this is 18.20.0');
  });
});
