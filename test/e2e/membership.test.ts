import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import type { PeerObject } from '../../src/core/membership/peer-object.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { kubeconfigConnection } from '../../src/kube/kubeconfig.ts';
import { forgetPeer } from '../../src/ops/forget.ts';
import { invite } from '../../src/ops/invite.ts';
import { join as joinFederation } from '../../src/ops/join.ts';
import { leave } from '../../src/ops/leave.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { fault } from './faults.ts';
import {
  apply,
  cutOff,
  eventually,
  get,
  isReady,
  kubectl,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  restartAgents,
} from './lab.ts';

/**
 * Members on bad networks. Wants a lab whose third cluster is behind a router, which few tests need:
 * `scripts/lab up --name NAME --clusters 3 --nat c`, then HEADCUT_LAB=$PWD/.lab-NAME.
 */
const folder = process.env.HEADCUT_LAB ?? '';
const { nat = [] } = JSON.parse(readFileSync(join(folder, 'lab.json'), 'utf8')) as { nat?: string[] };

async function seesReady(cluster: string, ...peers: string[]): Promise<void> {
  const nodes = await list<Node>(cluster, ['nodes', '-l', 'type=virtual-kubelet']);
  const ready = nodes.filter(isReady).map((node) => node.metadata.name);
  expect(ready.sort()).toEqual(peers.map((peer) => `headcut-${peer}`).sort());
}

async function peerOf(cluster: string, peer: string): Promise<PeerObject> {
  return get<PeerObject>(cluster, ['peer', peer]);
}

/** Runs a pod of `home` on `away`, and says and reads something there. */
async function usesPod(home: string, away: string): Promise<void> {
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

async function connect(cluster: string): Promise<KubeClient> {
  return createKubeClient(await kubeconfigConnection({ path: join(folder, 'kubeconfig'), context: cluster }));
}

const never = new AbortController().signal;

async function peerNames(cluster: string): Promise<string[]> {
  return (await list<PeerObject>(cluster, ['peers'])).map((peer) => peer.metadata.name);
}

async function joinAgain(home: KubeClient, away: KubeClient): Promise<void> {
  const { token } = await invite(home, { ttlMs: 60_000, randomBytes, clock: systemClock });
  await joinFederation(away, token, { timeoutMs: 60_000, clock: systemClock, signal: never });
}

describe.skipIf(!nat.includes('c'))('a member with outbound connections only', () => {
  test('is seen by all others and sees them', async () => {
    await eventually(() => seesReady('a', 'b', 'c'));
    await eventually(() => seesReady('b', 'a', 'c'));
    await eventually(() => seesReady('c', 'a', 'b'));
  });

  test('runs pods of others, and others run its pods, with logs and exec', async () => {
    await usesPod('a', 'c');
    await usesPod('c', 'a');
  });

  test('goes through a third member where its way is cut, offloads there, and is direct again later', async () => {
    {
      await using _cut = await fault('cut b c');
      await eventually(async () => {
        expect((await peerOf('b', 'c')).status).toMatchObject({ state: 'Connected', via: 'a' });
        expect((await peerOf('c', 'b')).status).toMatchObject({ state: 'Connected', via: 'a' });
      }, 30_000);
      const { conditions = [] } = (await peerOf('b', 'c')).status ?? {};
      expect(conditions.find((one) => one.type === 'Connected')?.message).toBe('Relayed through a');
      await eventually(() => seesReady('b', 'a', 'c'));
      await usesPod('b', 'c');
      await usesPod('c', 'b');
    }
    await eventually(async () => expect((await peerOf('b', 'c')).status?.via ?? undefined).toBeUndefined(), 90_000);
  });

  test('is connected to everybody again after all agents restarted at once', async () => {
    await restartAgents('a', 'b', 'c');
    await eventually(async () => {
      await seesReady('a', 'b', 'c');
      await seesReady('b', 'a', 'c');
      await seesReady('c', 'a', 'b');
    }, 60_000);
  });
});

test('a member that leaves is forgotten by all within seconds, and joins again with a new invitation', async () => {
  const [home, away] = await Promise.all([connect('a'), connect('b')]);
  try {
    const progress: string[] = [];
    for await (const step of leave(away, {
      clock: systemClock,
      signal: never,
      closeDoor: () => Promise.resolve(true),
      openDoor: () => Promise.resolve(),
      moveAway: () => Promise.resolve(),
    }))
      progress.push(step.type);
    expect(progress.at(-1)).toBe('left');
    await eventually(async () => {
      for (const cluster of ['a', 'c']) expect(await peerNames(cluster)).not.toContain('b');
      expect(await peerNames('b')).toEqual([]);
      expect(await list<Node>('b', ['nodes', '-l', 'type=virtual-kubelet'])).toEqual([]);
    }, 15_000);
    await joinAgain(home, away);
    await eventually(async () => {
      await seesReady('a', 'b', 'c');
      await seesReady('b', 'a', 'c');
      await seesReady('c', 'a', 'b');
    }, 60_000);
  } finally {
    await Promise.all([home.close(), away.close()]);
  }
});

test('a dead member is forgotten within five seconds, and others do not bring it back', async () => {
  const [home, away] = await Promise.all([connect('a'), connect('b')]);
  try {
    {
      await using _off = await cutOff('b');
      const startedAt = performance.now();
      await forgetPeer(home, 'b', { clock: systemClock, signal: never, dryRun: false });
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    }
    await eventually(async () => expect((await peerOf('c', 'b')).status?.state).toBe('Connected'), 60_000);
    expect(await peerNames('a')).toEqual(['c']);
    await joinAgain(home, away);
    await eventually(() => seesReady('a', 'b', 'c'), 60_000);
  } finally {
    await Promise.all([home.close(), away.close()]);
  }
});

test('a member that nobody reaches is told as down by all, and one whose link alone is cut as cut off', async () => {
  await using _off = await cutOff('b');
  await eventually(async () => {
    const { status } = await peerOf('a', 'b');
    expect(status?.state).toBe('Unreachable');
    expect(status?.conditions?.find((one) => one.type === 'Connected')?.reason).toBe('PeerDown');
  });
});
