import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { RunCommand } from '../../src/lab/providers/kind/container-engine.ts';
import { createKindProvider } from '../../src/lab/providers/kind/kind-provider.ts';
import { createTopology } from '../../src/lab/topology.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { runCommand } from '../../src/runtime/command.ts';

const NODE = 'headcut-x-a-control-plane';

/**
 * Stands in for docker, as there is no engine where these tests run: writes down how it is called, and answers what kind asks about
 * a node that runs (if the file "running" exists). It starts none.
 */
const ENGINE = `#!/bin/sh
cd "$ENGINE_FOLDER"
printf '%s\\n' "$*" >> log
case "$*" in
  info*) echo '{}' ;;
  'ps -a '*'{{.Label '*) [ ! -e running ] || echo headcut-x-a ;;
  'ps -a '*) [ ! -e running ] || echo ${NODE} ;;
  'inspect --type=image'*) echo 'sha256:0' ;;
  'network ls'*) echo kind ;;
  'run '*) echo 'no container can start here' >&2; exit 125 ;;
  'inspect --format {{.State.Running}} '*) [ -e running ] && echo true ;;
  'inspect '*'io.x-k8s.kind.role'*) echo control-plane ;;
  'inspect '*'HostPort'*) printf '127.0.0.1\\t45678\\n' ;;
  'inspect '*'IPAddress'*) echo '172.18.0.2 ' ;;
  'inspect '*) echo ;;
  'exec '*'cat /etc/kubernetes/admin.conf') cat admin.conf ;;
  'exec '*'images import '*) cat > imported ;;
  'exec '*'config dump') printf 'version = 3\\n[plugins."io.containerd.cri.v1.images"]\\nsnapshotter = "overlayfs"\\n' ;;
  'exec '*) ;;
  'rm '*) rm running ;;
  *) exit 1 ;;
esac
`;

const KUBECONFIG = `apiVersion: v1
kind: Config
current-context: kubernetes-admin@headcut-x-a
clusters: [{name: headcut-x-a, cluster: {server: "https://${NODE}:6443", certificate-authority-data: eA==}}]
users: [{name: kubernetes-admin, user: {client-key-data: eA==}}]
contexts: [{name: kubernetes-admin@headcut-x-a, context: {cluster: headcut-x-a, user: kubernetes-admin}}]
`;

let folder = '';
let run: RunCommand;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'headcut-kind-'));
  await mkdir(join(folder, 'bin'));
  await writeFile(join(folder, 'bin', 'docker'), ENGINE, { mode: 0o755 });
  await writeFile(join(folder, 'admin.conf'), KUBECONFIG);
  await symlink(join(process.env.HEADCUT_TOOLS ?? '', 'kind'), join(folder, 'bin', 'kind'));
  const env = { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, HOME: folder, ENGINE_FOLDER: folder };
  run = (argv, options) => runCommand(['env', ...Object.entries(env).map((pair) => pair.join('=')), ...argv], options);
});
afterEach(() => rm(folder, { recursive: true }));

const [cluster] = createTopology({ name: 'x', folder: '/nonexistent', subnet: '10.200.7', clusterCount: 1 }).clusters;
const inFolder = () => ({ ...cluster!, folder: join(folder, 'a') });
const provider = () => createKindProvider({ run, kind: 'kind', engine: undefined, clock: systemClock });
const engineLog = () => readFileSync(join(folder, 'log'), 'utf8');

describe('a lab of kind', () => {
  test('gives kind a configuration that it takes, up to the start of the container', async () => {
    await expect(provider().create(inFolder())).rejects.toThrow(/kind create cluster .*no container can start here/s);
    const [start] = engineLog()
      .split('\n')
      .filter((line) => line.startsWith('run '));
    expect(start).toContain(`--name ${NODE} `);
    expect(start).toContain('--label io.x-k8s.kind.role=control-plane');
    expect(start).toContain('--label io.x-k8s.kind.cluster=headcut-x-a');
  });

  test('keeps a cluster that is there, with a kubeconfig under the name that the lab gives it', async () => {
    await writeFile(join(folder, 'running'), '');
    await provider().create(inFolder());
    expect(engineLog()).not.toMatch(/^run /m);
    const config = parse(readFileSync(provider().kubeconfig(inFolder()), 'utf8'));
    expect(config['current-context']).toBe('a');
    expect(config.contexts).toEqual([{ name: 'a', context: { cluster: 'a', user: 'a' } }]);
    expect(config.clusters[0].cluster.server).toBe('https://127.0.0.1:45678');
    expect(await provider().address(inFolder())).toBe('172.18.0.2');
  });

  test('loads an image archive into the node', async () => {
    await writeFile(join(folder, 'running'), '');
    await writeFile(join(folder, 'image.tar'), 'an archive');
    await provider().loadImage(inFolder(), join(folder, 'image.tar'));
    expect(readFileSync(join(folder, 'imported'), 'utf8')).toBe('an archive');
  });

  test('removes its cluster, once', async () => {
    await writeFile(join(folder, 'running'), '');
    await provider().destroy(inFolder());
    expect(existsSync(join(folder, 'running'))).toBe(false);
    await provider().destroy(inFolder());
    expect(engineLog().match(/^rm .*$/gm)).toEqual([expect.stringContaining(NODE)]);
  });
});
