import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import { fault } from './faults.ts';
import { headcut } from './headcut-command.ts';
import {
  apply,
  countByNode,
  deployment,
  eventually,
  fingerprints,
  kubectl,
  list,
  offloadedNamespace,
  readyPods,
  takesPods,
  tryFederation,
} from './lab.ts';
import { seesReady } from './members.ts';

const RIGHT = join(import.meta.dirname, '../../manifests/optional/rebalance.yaml');
const EVEN = { a: 2, 'headcut-b': 2, 'headcut-c': 2 };
const REPLACED_WITHIN_MS = 30_000;
/** Peers that were lost often are only listened to for a while. */
const BACK_WITHIN_MS = 120_000;

const onC = ({ spec }: Pod): boolean => spec.nodeName === 'headcut-c';

/** Six replicas on `a` and `b`: `c` was lost and is back. */
async function afterLoss(namespace: string): Promise<void> {
  await eventually(async () => expect((await list<Node>('a', ['nodes'])).filter(takesPods)).toHaveLength(3));
  await apply('a', deployment(namespace, 'web', 6));
  expect(countByNode(await readyPods('a', namespace, 6))).toEqual(EVEN);
  await using lost = await fault('cut c');
  await eventually(async () => {
    const ready = (await list<Pod>('a', ['-n', namespace, 'pods'])).filter((pod) => !onC(pod));
    expect(ready).toHaveLength(6);
  }, REPLACED_WITHIN_MS);
  await lost.end();
  await eventually(() => seesReady('a', 'b', 'c'), BACK_WITHIN_MS);
}

test('headcut rebalance spreads replicas over a peer that is back, and does not touch those that stay', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  await afterLoss(name);
  const uneven = await readyPods('a', name, 6);
  expect(uneven.filter(onC)).toEqual([]);
  const before = fingerprints(uneven);
  const { exitCode, stderr } = await headcut('a', 'rebalance', name);
  expect(exitCode, stderr).toBe(0);
  const after = await readyPods('a', name, 6);
  expect(countByNode(after)).toEqual(EVEN);
  expect(before).toEqual(expect.arrayContaining(fingerprints(after.filter((pod) => !onC(pod)))));
});

test('the agent does it by itself where the namespace says so, and has the right to move pods from home', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  await kubectl('a', ['apply', '-f', RIGHT]);
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => void (await kubectl('a', ['delete', '-f', RIGHT, '--ignore-not-found'])));
  await apply('a', {
    apiVersion: 'headcut.dev/v1alpha1',
    kind: 'Offloading',
    metadata: { name: 'offloading', namespace: name },
    spec: { rebalance: { after: '10s' } },
  });
  await afterLoss(name);
  await eventually(async () => expect(countByNode(await readyPods('a', name, 6))).toEqual(EVEN), BACK_WITHIN_MS);
});

test('a time that is none is refused, with what is one', async () => {
  const patch = (after: string) => tryFederation({ rebalance: { after } });
  await patch('Never');
  await patch('5m');
  await expect(patch('1s')).rejects.toThrow('must be Never or a duration from 10s to 24h');
});
