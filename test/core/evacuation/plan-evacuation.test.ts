import { expect, test } from 'vitest';
import { planEvacuation } from '../../../src/core/evacuation/plan-evacuation.ts';
import type { Pod } from '../../../src/core/kube-objects.ts';

const pod = (name: string, kind: string | undefined, more: Partial<Pod> = {}): Pod => ({
  metadata: {
    name,
    ...(kind === undefined
      ? {}
      : { ownerReferences: [{ apiVersion: 'v1', kind, name: 'x', uid: 'x', controller: true }] }),
  },
  spec: { nodeName: 'headcut-b', containers: [] },
  ...more,
});

test('what leaves a peer in maintenance is what something makes anew elsewhere', () => {
  const pods = [
    pod('replica', 'ReplicaSet'),
    pod('bare', undefined),
    pod('of-the-node', 'DaemonSet'),
    pod('ended', 'Job', { status: { phase: 'Succeeded' } }),
    pod('elsewhere', 'ReplicaSet', { spec: { nodeName: 'a', containers: [] } }),
    pod('leaving', undefined, { metadata: { name: 'leaving', deletionTimestamp: '2026-01-01T00:00:00Z' } }),
  ];
  expect(planEvacuation(pods, 'headcut-b').map(({ metadata }) => metadata.name)).toEqual(['replica']);
});
