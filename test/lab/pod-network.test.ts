import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Cni, ProxyMode } from '../../src/lab/pod-network.ts';
import { addonObjects } from '../../src/lab/providers/kubernetes/cluster-api.ts';
import { clientSubjects } from '../../src/lab/providers/kubernetes/cluster-certificates.ts';
import { clusterFiles } from '../../src/lab/providers/kubernetes/cluster-files.ts';
import { allComponents } from '../../src/lab/providers/kubernetes/components.ts';
import { createTopology } from '../../src/lab/topology.ts';
import { type LabWorld, planLabState } from '../../src/lab/up.ts';
import { runCommand } from '../../src/runtime/command.ts';

function clusterOf(network: { cni?: Cni; kubeProxy?: ProxyMode }) {
  const [cluster] = createTopology({
    name: 'lab',
    folder: '/x',
    subnet: '10.200.7',
    clusterCount: 1,
    ...network,
  }).clusters;
  if (cluster === undefined) throw new Error('no cluster');
  return cluster;
}

function filesOf(network: { cni?: Cni; kubeProxy?: ProxyMode }): Record<string, string> {
  const launchers = { mounts: { version: 2 as const, hierarchies: ['/sys/fs/cgroup'] }, path: '/tools:/bin' };
  return clusterFiles(clusterOf(network), launchers, { cniPluginFolders: ['/plugins'], snapshotter: 'native' });
}

describe('the pod network of a lab', () => {
  test.each<[Cni, string[]]>([
    ['bridge', []],
    ['flannel', ['flanneld']],
    ['kube-router', ['kube-router']],
  ])('%s is run by %j, who have a certificate and rights of their own', (cni, expected) => {
    const plain = clusterOf({});
    const cluster = clusterOf({ cni });
    const added = (more: string[], fewer: string[]): string[] => more.filter((name) => !fewer.includes(name));
    const names = (of: typeof cluster): string[] => allComponents(of).map(({ name }) => name);
    expect(added(names(cluster), names(plain))).toEqual(expected);
    expect(added(Object.keys(clientSubjects(cluster)), Object.keys(clientSubjects(plain)))).toEqual(expected);
    const users = expected.map((name) => clientSubjects(cluster)[name]?.commonName ?? '');
    const granted = (of: typeof cluster): string[] =>
      addonObjects(of).flatMap(({ type, object }) => (type.kind === 'ClusterRole' ? [object.metadata.name] : []));
    expect(added(granted(cluster), granted(plain))).toEqual(users);
  });

  test('is the bridge plugin and iptables where nobody says', () => {
    expect(filesOf({})).toEqual(filesOf({ cni: 'bridge', kubeProxy: 'iptables' }));
    expect(parse(filesOf({})['kube-proxy.yaml'] ?? '')).toMatchObject({ mode: 'iptables' });
    expect(filesOf({})['cni/10-pods.conflist']).toContain('10.244.0.0/24');
  });

  test('has kube-proxy in the mode asked for', () => {
    expect(parse(filesOf({ kubeProxy: 'nftables' })['kube-proxy.yaml'] ?? '')).toMatchObject({ mode: 'nftables' });
  });

  test("keeps kube-router's routing table out of the machine's own files", () => {
    const target = '/etc/iproute2';
    expect(filesOf({ cni: 'kube-router' })['namespaces.sh']).toMatch(new RegExp(`^mount --rbind \\S+ ${target}$`, 'm'));
    expect(filesOf({})['namespaces.sh']).not.toContain(target);
  });
});

describe('a lab that is there', () => {
  const existing = { name: 'x', provider: 'kubernetes', subnet: '10.200.7', clusterCount: 2 };
  const world = (more: object = {}): LabWorld => ({
    existing: { ...existing, ...more },
    hasNetwork: true,
    routes: [],
    defaultProvider: 'kubernetes',
  });
  const asked = { name: 'x', federation: true };

  test('keeps its pod network when nobody asks', () => {
    const known = { cni: 'flannel', kubeProxy: 'nftables' } as const;
    expect(planLabState(asked, world(known))).toEqual({ ...existing, ...known });
    expect(planLabState({ ...asked, ...known }, world(known))).toEqual({ ...existing, ...known });
  });

  test('takes its defaults for what it has', () => {
    expect(planLabState({ ...asked, cni: 'bridge', kubeProxy: 'iptables' }, world())).toEqual(existing);
  });

  test.each([
    [{ cni: 'flannel' as const }, '--cni bridge'],
    [{ kubeProxy: 'nftables' as const }, '--kube-proxy iptables'],
    [{ nat: ['b'] }, 'other routers'],
  ])('is not changed to %j', (change, message) => {
    expect(() => planLabState({ ...asked, ...change }, world())).toThrow(`was made with ${message}; end it first`);
  });
});

test.each([
  ['up --cni flannel', 'flannel'],
  ['up --name x --cni=kube-router --clusters 2', 'kube-router'],
  ['up --name no-such-lab', ''],
])('scripts/lab %s prepares the machine for the pod network "%s"', async (words, expected) => {
  const script = '. scripts/lib.sh; lab_setting cni "$@"';
  const { stdout } = await runCommand(['bash', '-c', script, 'lab', ...words.split(' ')], {
    cwd: join(import.meta.dirname, '..', '..'),
  });
  expect(stdout).toBe(expected);
});
