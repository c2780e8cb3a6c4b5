import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import type { FederationObject, PeerObject } from '../../src/core/membership/peer-object.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { kubeconfigConnection } from '../../src/kube/kubeconfig.ts';
import { invite } from '../../src/ops/invite.ts';
import { join as joinFederation } from '../../src/ops/join.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { apply, eventually, get, isReady, kubectl, list, offloadedNamespace, pod, podSpec } from './lab.ts';
import { labFolder } from './reach-lab.ts';

/** Exactly these peers are shown by a cluster as nodes that are Ready. */
export async function seesReady(cluster: string, ...peers: string[]): Promise<void> {
  const nodes = await list<Node>(cluster, ['nodes', '-l', 'type=virtual-kubelet']);
  const ready = nodes.filter(isReady).map((node) => node.metadata.name);
  expect(ready.sort()).toEqual(peers.map((peer) => `headcut-${peer}`).sort());
}

export async function peerOf(cluster: string, peer: string): Promise<PeerObject> {
  return get<PeerObject>(cluster, ['peer', peer]);
}

/** The addresses by which other members know a cluster's pods, without the last number: `100.64.7`. */
export async function imagesOf(cluster: string): Promise<string> {
  const { status } = await get<FederationObject>(cluster, ['federation', 'headcut']);
  return (status?.network?.prefix ?? '').split('.').slice(0, 3).join('.');
}

/** Runs a pod of `home` on `away`, and says and reads something there. */
export async function usesPod(home: string, away: string): Promise<void> {
  await using namespace = await offloadedNamespace(home);
  const spec = podSpec(
    { nodeSelector: { 'kubernetes.io/hostname': `headcut-${away}` } },
    { command: ['sh', '-c', 'echo hello; sleep 600'] },
  );
  await apply(home, pod(namespace.name, 'p', spec));
  await eventually(async () => expect(isReady(await get<Pod>(home, ['-n', namespace.name, 'pod', 'p']))).toBe(true));
  await eventually(async () => expect(await kubectl(home, ['-n', namespace.name, 'logs', 'p'])).toBe('hello\n'));
  expect(await kubectl(home, ['-n', namespace.name, 'exec', 'p', '--', 'echo', 'there'])).toBe('there\n');
}

/** A client of a cluster, for the operations behind the command. */
export async function connect(cluster: string): Promise<KubeClient> {
  return createKubeClient(await kubeconfigConnection({ path: join(labFolder, 'kubeconfig'), context: cluster }));
}

/** `away` joins the federation of `home` by an invitation of its own. */
export async function joinAgain(home: KubeClient, away: KubeClient): Promise<void> {
  const { token } = await invite(home, { ttlMs: 60_000, randomBytes, clock: systemClock });
  await joinFederation(away, token, { timeoutMs: 60_000, clock: systemClock, signal: new AbortController().signal });
}

export async function peerNames(cluster: string): Promise<string[]> {
  return (await list<PeerObject>(cluster, ['peers'])).map((peer) => peer.metadata.name);
}
