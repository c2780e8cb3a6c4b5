import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
import { VIRTUAL_NODE_TAINT } from '../../src/core/labels.ts';
import { kubectl, labFolder, labName, run } from './reach-lab.ts';

export { kubectl, labName };

export async function get<T extends KubeObject>(cluster: string, args: string[]): Promise<T> {
  return JSON.parse(await kubectl(cluster, ['get', ...args, '-o', 'json'])) as T;
}

export async function list<T extends KubeObject>(cluster: string, args: string[]): Promise<T[]> {
  return (await get<KubeObject & { items: T[] }>(cluster, args)).items;
}

export function apply(cluster: string, ...objects: object[]): Promise<string> {
  return kubectl(cluster, ['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
}

/** Tries again until the expectations hold; fails with the last failure. */
export async function eventually(check: () => Promise<void>, withinMs = 30_000): Promise<void> {
  const end = Date.now() + withinMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(250);
    }
  }
}

let count = 0;

/** A labelled namespace of its own on `cluster`; it is deleted at the end of the block, also after a failure. */
export async function offloadedNamespace(cluster: string): Promise<{ name: string } & AsyncDisposable> {
  count += 1;
  const name = `e2e-${process.pid}-${count}`;
  await apply(cluster, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'headcut.dev/offload': 'true' } },
  });
  const remove = async (): Promise<void> =>
    void (await kubectl(cluster, ['delete', 'namespace', name, '--wait=false']));
  return { name, [Symbol.asyncDispose]: remove };
}

export const IMAGE = 'headcut.dev/demo:0.1.0';

export function podSpec(more: object = {}, container: object = {}): object {
  return { terminationGracePeriodSeconds: 1, containers: [{ name: 'c', image: IMAGE, ...container }], ...more };
}

export function pod(namespace: string, name: string, spec: object): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels: { app: name } }, spec };
}

export function deployment(namespace: string, name: string, replicas: number, spec: object = podSpec()): object {
  const labels = { app: name };
  const template = { metadata: { labels }, spec };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: { replicas, selector: { matchLabels: labels }, template },
  };
}

/** A Deployment with as many pods on each node: they wait for one that takes none for a moment. */
export function evenDeployment(namespace: string, name: string, replicas: number, spec: object = podSpec()): object {
  const constraint = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    // By default the spread is only wished for.
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { app: name } },
  };
  return deployment(namespace, name, replicas, { ...spec, topologySpreadConstraints: [constraint] });
}

export function isReady(object: Pod | Node): boolean {
  return object.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
}

/** Ready, and new pods can go there: a node that takes none for now can be Ready too. */
export function takesPods(node: Node): boolean {
  const taints = node.spec?.taints?.filter(({ key, effect }) => key !== VIRTUAL_NODE_TAINT && effect === 'NoSchedule');
  return isReady(node) && (taints ?? []).length === 0 && node.status?.allocatable?.pods !== '0';
}

/** How many of the pods are on each node. */
export function countByNode(pods: Pod[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { spec } of pods) counts[spec.nodeName ?? ''] = (counts[spec.nodeName ?? ''] ?? 0) + 1;
  return counts;
}

/** The real pods on a provider of what a consumer's namespace offloaded there. */
export function twins(provider: string, namespace: string): Promise<Pod[]> {
  return list<Pod>(provider, ['pods', '-A', '-l', `headcut.dev/origin-namespace=${namespace}`]);
}

/** UIDs and restart counts, to tell whether pods were touched. */
export function fingerprints(pods: Pod[]): string[] {
  return pods
    .map((one) => `${one.metadata.uid} ${one.status?.containerStatuses?.map((status) => status.restartCount).join()}`)
    .sort();
}

/** Whether `a` would take these settings of its Federation: rejects with what the API server says. */
export function tryFederation(spec: object): Promise<string> {
  const patch = ['patch', 'federation/headcut', '--type=merge', '--dry-run=server', '-p', JSON.stringify({ spec })];
  return kubectl('a', patch);
}

/** Replaces the pod of the agent, or of the guard (`headcut-fence`), and waits until the next one is there. */
export async function restart(cluster: string, which: 'headcut' | 'headcut-fence'): Promise<void> {
  const rollout = ['-n', 'headcut-system', 'rollout'];
  await kubectl(cluster, [...rollout, 'restart', `deployment/${which}`]);
  await kubectl(cluster, [...rollout, 'status', `deployment/${which}`, '--timeout=50s']);
}

/** Restarts the agents of some clusters, all at once. */
export async function restartAgents(...clusters: string[]): Promise<void> {
  await Promise.all(clusters.map((cluster) => restart(cluster, 'headcut')));
}

function inWords({ metadata, spec, status }: Pod): string {
  const going = metadata.deletionTimestamp === undefined ? '' : ', going';
  const { phase, reason = '', message = '' } = status ?? {};
  return `${metadata.name} on ${spec.nodeName ?? 'no node'}: ${phase}${going} ${reason} ${message}`;
}

/** All replicas run and are Ready; gives them. */
export async function readyPods(cluster: string, namespace: string, replicas: number): Promise<Pod[]> {
  let pods: Pod[] = [];
  await eventually(async () => {
    pods = await list<Pod>(cluster, ['-n', namespace, 'pods']);
    const told = pods.map(inWords).join('\n');
    expect(pods.filter(isReady), told).toHaveLength(replicas);
    expect(pods, told).toHaveLength(replicas);
  }, 60_000);
  return pods;
}

/** Runs a command in the network of a cluster's node; gives what it prints. */
export async function inNetworkOf(cluster: string, argv: string[]): Promise<string> {
  const { stdout } = await run('nsenter', [`--net=/run/netns/headcut-${labName()}-${cluster}`, ...argv]);
  return stdout;
}

/** Cuts a cluster's link to all others and to this machine; it is whole again at the end of the block. */
export async function cutOff(cluster: string): Promise<AsyncDisposable> {
  const link = (state: 'up' | 'down') =>
    run('ip', ['-n', `headcut-${labName()}-net`, 'link', 'set', `to-${cluster}`, state]);
  await link('down');
  return { [Symbol.asyncDispose]: async () => void (await link('up')) };
}

/** What kubectl writes to a terminal, with `input` typed into it. */
export async function kubectlOnTerminal(cluster: string, args: string[], input: string): Promise<string> {
  const command = ['kubectl', '--kubeconfig', join(labFolder, 'kubeconfig'), '--context', cluster, ...args];
  const child = run('script', ['--quiet', '--return', '--command', command.join(' '), '/dev/null'], {
    timeout: 60_000,
    env: { ...process.env, PATH: `${join(labFolder, 'bin')}:${process.env.PATH}` },
  });
  child.child.stdin?.write(input);
  return (await child).stdout;
}
