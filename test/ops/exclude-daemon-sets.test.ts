import { describe, expect, it } from 'vitest';
import type { Toleration } from '../../src/core/kube-objects.ts';
import { landsOnVirtualNodes } from '../../src/ops/exclude-daemon-sets.ts';

const EVERYTHING: Toleration = { operator: 'Exists' };
const notVirtual = { matchExpressions: [{ key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] }] };
const linux = { matchExpressions: [{ key: 'kubernetes.io/os', operator: 'In', values: ['linux'] }] };

function daemonSet(tolerations: Toleration[], terms?: (typeof linux)[]) {
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms ?? [] } };
  const affinity = terms === undefined ? {} : { affinity: { nodeAffinity: required } };
  return { metadata: { name: 'ds' }, spec: { template: { spec: { tolerations, ...affinity } } } };
}

describe('landsOnVirtualNodes', () => {
  it.each([
    ['tolerates everything', [EVERYTHING], true],
    ['tolerates all NoSchedule taints', [{ operator: 'Exists', effect: 'NoSchedule' }], true],
    ['tolerates the taint of virtual nodes', [{ key: 'headcut.dev/virtual-node', operator: 'Exists' }], true],
    ['tolerates only NoExecute', [{ operator: 'Exists', effect: 'NoExecute' }], false],
    ['tolerates another taint', [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }], false],
    ['tolerates nothing', [], false],
  ])('of one that %s', (_what, tolerations, lands) => {
    expect(landsOnVirtualNodes(daemonSet(tolerations))).toBe(lands);
  });

  it('is false once every alternative of its node affinity excludes them', () => {
    expect(landsOnVirtualNodes(daemonSet([EVERYTHING], [notVirtual]))).toBe(false);
    expect(landsOnVirtualNodes(daemonSet([EVERYTHING], [linux]))).toBe(true);
    expect(landsOnVirtualNodes(daemonSet([EVERYTHING], [notVirtual, linux]))).toBe(true);
  });
});
