import { describe, expect, test } from 'vitest';
import type { Condition, Pod, PodStatus } from '../../../src/core/kube-objects.ts';
import { statusPatch, toLocalStatus, withoutGenerations } from '../../../src/core/offloading/local-status.ts';

const podOf = (status: PodStatus = {}, spec: Partial<Pod['spec']> = {}, generation = 1): Pod => ({
  metadata: { name: 'web', namespace: 'shop', uid: 'u1', generation },
  spec: { containers: [{ name: 'c' }], ...spec },
  status,
});
const ready: Condition = { type: 'Ready', status: 'True', observedGeneration: 7 };
const scheduled: Condition = { type: 'PodScheduled', status: 'True' };

describe('the conditions of an offloaded pod', () => {
  const patched = (local: Pod): Record<string, unknown> | undefined =>
    statusPatch(local, toLocalStatus({ phase: 'Running', conditions: [ready] }, local))?.status;

  test('are those of its generation at home, as a kubelet writes them, also that it is bound', () => {
    const { conditions } = patched(podOf({ conditions: [scheduled] })) ?? {};
    expect(conditions).toEqual([
      { ...ready, observedGeneration: 1 },
      { ...scheduled, observedGeneration: 1 },
    ]);
    const shown = { phase: 'Running', observedGeneration: 1, conditions: conditions as Condition[] } as const;
    expect(patched(podOf(shown))).toBeUndefined();
    expect(patched(podOf(shown, {}, 2))).toMatchObject({
      observedGeneration: 2,
      conditions: [{ type: 'Ready', observedGeneration: 2 }, { observedGeneration: 2 }],
    });
  });

  test('say nothing of a generation that the provider has not seen', () => {
    const local = podOf({ conditions: [scheduled] });
    const status = withoutGenerations(toLocalStatus({ phase: 'Running', conditions: [ready] }, local));
    expect(statusPatch(local, status)?.status).toEqual({
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True' }],
    });
  });

  test('are not written again for their generation alone, which an API server may not keep', () => {
    const dropped = { type: 'Ready', status: 'True' } as const;
    expect(patched(podOf({ phase: 'Running', observedGeneration: 1, conditions: [dropped] }))).toBeUndefined();
  });
});

describe('the resources of an offloaded pod as a whole', () => {
  const given = { requests: { memory: '256Mi' }, limits: { cpu: '1', memory: '256Mi' } };
  const told: PodStatus = { phase: 'Running', resources: given, allocatedResources: given.requests };
  const patchOf = (local: Pod, remote = told) => statusPatch(local, toLocalStatus(remote, local))?.status ?? {};

  test('are those that its owner gave it, not what its provider gives guests', () => {
    const own = { requests: { cpu: '10m' }, limits: { cpu: '1', memory: '64Mi' } };
    const side = { name: 's', restartPolicy: 'Always', resources: { requests: { cpu: '5m' } } };
    const local = podOf({}, { initContainers: [side], containers: [{ name: 'c', resources: own }] });
    expect(patchOf(local)).toMatchObject({
      resources: {
        requests: { cpu: '15m', memory: '65536Ki' },
        limits: { cpu: '1', memory: '65536Ki' },
      },
      allocatedResources: { cpu: '15m', memory: '65536Ki' },
    });
  });

  test('lose what the owner took away', () => {
    const before = { requests: { cpu: '1', memory: '1Gi' } };
    const status = { resources: before, allocatedResources: before.requests };
    expect(patchOf(podOf(status, { resources: { requests: { cpu: '1' } } }))).toMatchObject({
      resources: { requests: { cpu: '1', memory: null } },
      allocatedResources: { cpu: '1', memory: null },
    });
  });

  test('are shown where the provider’s kubelet tells any, and not while a change of them waits', () => {
    const local = podOf({}, { resources: { requests: { cpu: '20m' } } });
    expect(patchOf(local, { phase: 'Running' })).not.toHaveProperty('resources');
    const waits: Condition = { type: 'PodResizePending', status: 'True' };
    expect(patchOf(local, { ...told, conditions: [waits] })).not.toHaveProperty('resources');
  });

  test('cost no write of their own, in whatever way the API server writes amounts', () => {
    const local = podOf({}, { resources: { requests: { memory: '1024Mi' } } });
    const { resources: _, allocatedResources: __, ...rest } = patchOf(local) as PodStatus;
    const shown = podOf({ ...rest, resources: { requests: { memory: '1Gi' } } }, local.spec);
    expect(statusPatch(shown, toLocalStatus(told, shown))).toBeUndefined();
    const ended = toLocalStatus({ ...told, phase: 'Succeeded' }, shown);
    expect(
      statusPatch({ ...shown, status: { ...shown.status, allocatedResources: { memory: '1Gi' } } }, ended)?.status,
    ).toEqual({ phase: 'Succeeded' });
  });
});
