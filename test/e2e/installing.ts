import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import type { KubeObject, Node } from '../../src/core/kube-objects.ts';
import { eventually, inNetworkOf, isReady, kubectl, list } from './lab.ts';
import { labFolder } from './reach-lab.ts';

/** Installing, and what is left of that, as seen by who does it on the machine of a cluster. */

const CLI = join(import.meta.dirname, '..', '..', 'src', 'bin', 'cli.ts');
/** The clusters of the lab. */
export const contexts = async (): Promise<string[]> =>
  (await kubectl('a', ['config', 'get-contexts', '-o', 'name'])).trim().split('\n');

/** The command line of a cluster, with its kubeconfig. */
export const headcut = (cluster: string, ...args: string[]): string[] => [
  process.execPath,
  CLI,
  ...args,
  '--kubeconfig',
  join(labFolder, `kubeconfig-${cluster}`),
];

export async function run(argv: string[]): Promise<string> {
  const [program = '', ...args] = argv;
  return (await promisify(execFile)(program, args, { timeout: 200_000 })).stdout;
}

/** kubectl from within a cluster that nobody else reaches. */
const kubectlInside = (cluster: string, ...args: string[]): Promise<string> =>
  inNetworkOf(cluster, [
    join(labFolder, 'bin', 'kubectl'),
    '--kubeconfig',
    join(labFolder, `kubeconfig-${cluster}`),
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
export async function tracesIn(cluster: string): Promise<string[]> {
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
  const lines = `${leases}\n${tables}\n${links}`.split('\n').filter((line) => /headcut|hc-fence/.test(line));
  return [...objects, ...lines];
}

/** The member has a new key now, so that its former self has to be forgotten. */
export async function rejoin(member: string, others: string[]): Promise<void> {
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
