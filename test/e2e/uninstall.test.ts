import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
import {
  apply,
  cutOff,
  deployment,
  eventually,
  inNetworkOf,
  isReady,
  kubectl,
  list,
  offloadedNamespace,
  readyPods,
  twins,
} from './lab.ts';
import { peerNames } from './members.ts';

const folder = process.env.HEADCUT_LAB ?? '';
const CLI = join(import.meta.dirname, '..', '..', 'src', 'bin', 'cli.ts');
const contexts = async (): Promise<string[]> =>
  (await kubectl('a', ['config', 'get-contexts', '-o', 'name'])).trim().split('\n');

/** The command line of a cluster, with its kubeconfig. */
const headcut = (cluster: string, ...args: string[]): string[] => [
  process.execPath,
  CLI,
  ...args,
  '--kubeconfig',
  join(folder, `kubeconfig-${cluster}`),
];

async function run(argv: string[]): Promise<string> {
  const [program = '', ...args] = argv;
  return (await promisify(execFile)(program, args, { timeout: 200_000 })).stdout;
}

/** kubectl from within a cluster that nobody else reaches. */
const kubectlInside = (cluster: string, ...args: string[]): Promise<string> =>
  inNetworkOf(cluster, [
    join(folder, 'bin', 'kubectl'),
    '--kubeconfig',
    join(folder, `kubeconfig-${cluster}`),
    ...args,
  ]);

const KINDS = [
  'nodes',
  'namespaces',
  'crds',
  'clusterroles',
  'clusterrolebindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingwebhookconfigurations',
  'csr',
];

/** What there is of headcut in a cluster and on its node, by kind and name. */
async function tracesIn(cluster: string): Promise<string[]> {
  const text = await kubectlInside(cluster, 'get', KINDS.join(','), '-o', 'json');
  const { items } = JSON.parse(text) as { items: (KubeObject & { spec?: { username?: string } })[] };
  const objects = items
    .filter(({ metadata, spec }) => {
      const own = `${metadata.name} ${JSON.stringify(metadata.labels ?? {})} ${spec?.username ?? ''}`;
      return own.includes('headcut') && !metadata.name.startsWith('e2e-');
    })
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  const leases = await kubectlInside(cluster, '-n', 'kube-node-lease', 'get', 'leases', '-o', 'name');
  const tables = await inNetworkOf(cluster, ['nft', 'list', 'tables']);
  const links = await inNetworkOf(cluster, ['ip', '-brief', 'link']);
  const lines = `${leases}\n${tables}\n${links}`.split('\n').filter((line) => /headcut/.test(line));
  return [...objects, ...lines];
}

test('a member that no peer reaches is rid of headcut within 30 s, its pods go home, and it can be installed and joined again', async () => {
  const clusters = await contexts();
  const member = clusters.at(-1) ?? '';
  const others = clusters.slice(0, -1);
  await using own = await offloadedNamespace(member);
  await using foreign = await offloadedNamespace(others[0] ?? '');
  await apply(member, deployment(own.name, 'web', 4));
  await apply(others[0] ?? '', deployment(foreign.name, 'web', 4));
  const pods = await readyPods(member, own.name, 4);
  expect(pods.filter(({ spec }) => spec.nodeName !== member)).not.toEqual([]);
  await readyPods(others[0] ?? '', foreign.name, 4);
  expect(await twins(member, foreign.name)).not.toEqual([]);

  {
    await using _cut = await cutOff(member);
    const start = performance.now();
    await inNetworkOf(member, headcut(member, 'uninstall'));
    const tookMs = performance.now() - start;
    expect(await tracesIn(member)).toEqual([]);
    expect(tookMs).toBeLessThan(30_000);
  }

  await eventually(async () => {
    const home = await list<Pod>(member, ['-n', own.name, 'pods']);
    expect(home.filter((pod) => isReady(pod) && pod.spec.nodeName === member)).toHaveLength(4);
  }, 60_000);
  // Without anything to remove it is as harmless.
  expect(await run(headcut(member, 'uninstall'))).toContain('Removed');

  expect(await run(headcut(member, 'install', '--csr-approver'))).toContain('this member listens on');
  await rejoin(member, others);
});

test('a member that is uninstalled while its peers live says good-bye: they drop it at once, and their pods go elsewhere', async () => {
  const clusters = await contexts();
  const member = clusters.at(-1) ?? '';
  const others = clusters.slice(0, -1);
  const home = others[0] ?? '';
  await using foreign = await offloadedNamespace(home);
  await apply(home, deployment(foreign.name, 'web', 4));
  await readyPods(home, foreign.name, 4);
  expect(await twins(member, foreign.name)).not.toEqual([]);

  const start = performance.now();
  await run(headcut(member, 'uninstall'));
  expect(performance.now() - start).toBeLessThan(30_000);
  for (const other of others) expect(await peerNames(other)).not.toContain(member);
  expect(await tracesIn(member)).toEqual([]);
  for (const other of others)
    await eventually(async () => {
      const nodes = await list<Node>(other, ['nodes', '-l', 'headcut.dev/peer']);
      expect(nodes.map(({ metadata }) => metadata.name)).not.toContain(`headcut-${member}`);
    });
  await eventually(async () => {
    const pods = await list<Pod>(home, ['-n', foreign.name, 'pods']);
    expect(pods.filter(isReady)).toHaveLength(4);
  }, 60_000);

  await run(headcut(member, 'install', '--csr-approver'));
  await rejoin(member, others);
});

/** The member has a new key now, so that its former self has to be forgotten. */
async function rejoin(member: string, others: string[]): Promise<void> {
  for (const other of others) {
    const peers = await list<KubeObject & { status?: { state?: string } }>(other, ['peers']);
    const lost = peers.filter(({ status }) => status?.state !== 'Connected').map(({ metadata }) => metadata.name);
    if (lost.length > 0) await kubectl(other, ['delete', 'peer', ...lost]);
  }
  const token = (await run(headcut(others[0] ?? '', 'invite'))).trim();
  expect(await run(headcut(member, 'join', token))).toContain('Joined');
  for (const cluster of [member, ...others])
    await eventually(async () => {
      const nodes = await list<Node>(cluster, ['nodes', '-l', 'headcut.dev/peer']);
      expect(nodes.filter(isReady)).toHaveLength(others.length);
    }, 60_000);
}
