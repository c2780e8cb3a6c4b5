import { expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import { forgetPeer } from '../../src/ops/forget.ts';
import { leave } from '../../src/ops/leave.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { fault } from './faults.ts';
import {
  apply,
  cutOff,
  deployment,
  eventually,
  isReady,
  list,
  offloadedNamespace,
  podSpec,
  readyPods,
  twins,
} from './lab.ts';
import { connect, joinAgain, peerNames, peerOf, seesReady, usesPod } from './members.ts';

const never = new AbortController().signal;

test('a member whose way to another is cut goes through a third, offloads there, and is direct again later', async () => {
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

test('a dead member is forgotten within five seconds with its pods, and others do not bring it back', async () => {
  const [home, away] = await Promise.all([connect('a'), connect('b')]);
  await using namespace = await offloadedNamespace('b');
  const { name } = namespace;
  try {
    const onA = podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-a' } });
    await apply('b', deployment(name, 'web', 2, onA));
    const pods = await readyPods('b', name, 2);
    {
      await using _off = await cutOff('b');
      const startedAt = performance.now();
      await forgetPeer(home, 'b', { clock: systemClock, signal: never, dryRun: false });
      expect(performance.now() - startedAt).toBeLessThan(5_000);
      expect(await twins('a', name)).toHaveLength(2);
      // They end a minute later.
      await eventually(async () => expect(await twins('a', name)).toEqual([]), 90_000);
    }
    await eventually(async () => expect((await peerOf('c', 'b')).status?.state).toBe('Connected'), 60_000);
    expect(await peerNames('a')).toEqual(['c']);
    // b may not have found out yet that a can be reached again.
    await eventually(() => joinAgain(home, away));
    await eventually(() => seesReady('a', 'b', 'c'), 60_000);
    // Their Deployment makes others; they themselves have failed.
    const uids = pods.map(({ metadata }) => metadata.uid);
    await eventually(async () => {
      const ready = (await list<Pod>('b', ['-n', name, 'pods'])).filter(isReady);
      expect(ready).toHaveLength(2);
      expect(ready.filter(({ metadata }) => uids.includes(metadata.uid))).toEqual([]);
    }, 60_000);
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
