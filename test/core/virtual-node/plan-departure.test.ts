import { expect, test } from 'vitest';
import type { Pod } from '../../../src/core/kube-objects.ts';
import { departedPatch, planDeparture } from '../../../src/core/virtual-node/plan-departure.ts';

const pod = (name: string, more: Partial<Pod> = {}): Pod => ({
  spec: { nodeName: 'headcut-b', containers: [] },
  ...more,
  metadata: { name, uid: name, ...more.metadata },
});

const names = (pods: readonly Pod[]): string[] => pods.map(({ metadata }) => metadata.name);

test('pods of a former member end, but for fenced ones that may still run there', () => {
  const daemonSet = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'x', uid: 'x', controller: true };
  const going = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  const pods = [
    pod('replica'),
    pod('db-0'),
    pod('stopped-0'),
    pod('ended-0', { status: { phase: 'Succeeded' } }),
    pod('deleted-0', { metadata: { name: 'deleted-0', ...going, deletionGracePeriodSeconds: 30 } }),
    pod('of-the-node', { metadata: { name: 'of-the-node', ownerReferences: [daemonSet] } }),
    pod('held-by-finalizer', { metadata: { name: 'held', ...going, deletionGracePeriodSeconds: 0 } }),
    pod('elsewhere', { spec: { nodeName: 'headcut-c', containers: [] } }),
  ];
  const stoppedInMs = ({ metadata: { name } }: Pod): number | undefined => {
    if (name === 'stopped-0') return 0;
    return name.endsWith('-0') ? 25_000 : undefined;
  };
  const { remove, waiting } = planDeparture(pods, 'headcut-b', stoppedInMs);
  expect(names(remove)).toEqual(['replica', 'stopped-0', 'ended-0']);
  expect(names(waiting)).toEqual(['db-0', 'deleted-0']);
});

test('the end of such a pod is a disruption, and one that had ended keeps what it was', () => {
  const now = '2026-01-01T00:00:00Z';
  expect(departedPatch(pod('p', { status: { phase: 'Running' } }), now)).toMatchObject({
    metadata: { uid: 'p' },
    status: { phase: 'Failed', conditions: [{ type: 'DisruptionTarget', status: 'True', lastTransitionTime: now }] },
  });
  expect(departedPatch(pod('p', { status: { phase: 'Succeeded' } }), now)).toBeUndefined();
});
