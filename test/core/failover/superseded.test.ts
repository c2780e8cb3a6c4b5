import { expect, test } from 'vitest';
import { isReplacementPending, isSuperseded } from '../../../src/core/failover/superseded.ts';
import type { Condition, Pod } from '../../../src/core/kube-objects.ts';

const ready: Condition = { type: 'Ready', status: 'True' };
const lost: Condition = { type: 'DisruptionTarget', status: 'True', reason: 'PeerLost' };

function podOf(name: string, conditions: Condition[], more: { going?: boolean; owner?: string } = {}): Pod {
  const { going = false, owner = 'o1' } = more;
  return {
    metadata: {
      name,
      ...(going ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: owner, controller: true }],
    },
    spec: { containers: [] },
    status: { phase: 'Running', conditions },
  };
}

test('only a pod that was replaced for the loss of its peer is superseded, not one that its owner deleted', () => {
  expect(isSuperseded(podOf('p', [lost], { going: true }))).toBe(true);
  expect(isSuperseded(podOf('p', [ready], { going: true }))).toBe(false);
  expect(isSuperseded(podOf('p', [lost]))).toBe(false);
});

test('a replacement is pending while a pod of the same controller is not Ready', () => {
  const old = podOf('old', [lost], { going: true });
  expect(isReplacementPending(old, [old, podOf('new', [])])).toBe(true);
  expect(isReplacementPending(old, [old, podOf('new', [ready])])).toBe(false);
  expect(isReplacementPending(old, [old, podOf('foreign', [], { owner: 'o2' })])).toBe(false);
  expect(isReplacementPending(old, [old, podOf('other', [], { going: true })])).toBe(false);
});
