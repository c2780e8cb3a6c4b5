import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { buildPackage, writeKrewManifest } from '../../scripts/package/build-package.ts';

const root = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

let folder = '';
let archive = '';
let manifest = '';
let path = '';
const server = createServer(async (request, response) => {
  if (request.url === `/${basename(archive)}`) response.end(await readFile(archive));
  else response.writeHead(404).end();
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headcut-plugin-'));
  archive = await buildPackage(root, folder);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  manifest = await writeKrewManifest(archive, `http://127.0.0.1:${port}/${basename(archive)}`);
  // krew and kubectl as people have them: beside each other on the PATH, krew as a plugin.
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const tools = process.env.HEADCUT_TOOLS ?? '';
  await symlink(join(tools, 'kubectl'), join(bin, 'kubectl'));
  await symlink(join(tools, 'krew'), join(bin, 'kubectl-krew'));
  await symlink(join(tools, 'validate-krew-manifest'), join(bin, 'validate-krew-manifest'));
  path = [bin, dirname(process.execPath), '/usr/bin', '/bin'].join(':');
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

const environment = (extra: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...{ PATH: path, HOME: folder, XDG_CACHE_HOME: join(folder, 'cache'), KUBECONFIG: join(folder, 'none') },
  ...extra,
});

const OWN_VERSION = `headcut ${packageJson.version}\n`;

describe('kubectl headcut', () => {
  test('is there once the npm package is installed', async () => {
    const project = join(folder, 'project');
    await mkdir(project);
    await writeFile(join(project, 'package.json'), '{}');
    const bin = join(project, 'node_modules', '.bin');
    const env = environment({ PATH: `${bin}:${path}` });
    await run('npm', ['install', '--offline', '--no-audit', '--no-fund', archive], { cwd: project, env });
    expect((await run('kubectl', ['headcut', 'version', '--client'], { env })).stdout).toBe(OWN_VERSION);
    expect((await run('kubectl', ['plugin', 'list'], { env })).stdout).toContain(join(bin, 'kubectl-headcut'));
  });

  test('is installed by krew from archive and manifest alone', async () => {
    const krewRoot = join(folder, 'krew');
    const env = environment({ KREW_ROOT: krewRoot, PATH: `${join(krewRoot, 'bin')}:${path}` });
    const installed = await run('kubectl', ['krew', 'install', '--manifest', manifest, '--archive', archive], { env });
    expect(installed.stderr).toContain('Installed plugin: headcut');
    expect(installed.stderr).toContain('Node.js 24');
    expect((await run('kubectl', ['headcut', 'version', '--client'], { env })).stdout).toBe(OWN_VERSION);
  });

  test('is found in an index of krew, installed and removed again', async () => {
    const index = join(folder, 'index');
    await mkdir(join(index, 'plugins'), { recursive: true });
    await copyFile(manifest, join(index, 'plugins', 'headcut.yaml'));
    const git = (...args: string[]) =>
      run('git', ['-c', 'user.name=x', '-c', 'user.email=x@x.test', ...args], { cwd: index });
    await git('init', '-q');
    await git('add', '.');
    await git('commit', '-q', '-m', 'headcut');
    const krewRoot = join(folder, 'from-index');
    const settings = { KREW_ROOT: krewRoot, KREW_DEFAULT_INDEX_URI: index, KREW_NO_UPGRADE_CHECK: '1' };
    const env = environment({ ...settings, PATH: `${join(krewRoot, 'bin')}:${path}` });
    await run('kubectl', ['krew', 'update'], { env });
    expect((await run('kubectl', ['krew', 'search', 'headcut'], { env })).stdout).toMatch(
      /headcut +A federation .* no/,
    );
    await run('kubectl', ['krew', 'install', 'headcut'], { env });
    expect((await run('kubectl', ['headcut', 'version', '--client'], { env })).stdout).toBe(OWN_VERSION);
    await run('kubectl', ['krew', 'uninstall', 'headcut'], { env });
    await expect(run('kubectl', ['headcut', 'version', '--client'], { env })).rejects.toThrow(/unknown command/);
  });

  test('has a manifest that passes the validator of krew, an installation included', async () => {
    const { stderr } = await run('validate-krew-manifest', ['-manifest', manifest], { env: environment() });
    expect(stderr).toContain('structural validation OK');
    expect(stderr).toContain('all 1 spec.platforms installed fine');
  });

  test('is refused by krew when the archive is not the one of the manifest', async () => {
    const other = join(folder, 'other.tgz');
    await writeFile(other, Buffer.concat([await readFile(archive), Buffer.from('x')]));
    const env = environment({ KREW_ROOT: join(folder, 'other') });
    const failure = await run('kubectl', ['krew', 'install', '--manifest', manifest, '--archive', other], {
      env,
    }).catch((error) => error);
    expect(failure.stderr).toContain('checksum does not match');
  });
});
