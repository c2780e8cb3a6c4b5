import { expect } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import type { PeerObject } from '../../src/core/membership/peer-object.ts';
import { apply, eventually, get, isReady, kubectl, list, offloadedNamespace, pod, podSpec } from './lab.ts';

/** Exactly these peers are shown by a cluster as nodes that are Ready. */
export async function seesReady(cluster: string, ...peers: string[]): Promise<void> {
  const nodes = await list<Node>(cluster, ['nodes', '-l', 'type=virtual-kubelet']);
  const ready = nodes.filter(isReady).map((node) => node.metadata.name);
  expect(ready.sort()).toEqual(peers.map((peer) => `headcut-${peer}`).sort());
}

export async function peerOf(cluster: string, peer: string): Promise<PeerObject> {
  return get<PeerObject>(cluster, ['peer', peer]);
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
