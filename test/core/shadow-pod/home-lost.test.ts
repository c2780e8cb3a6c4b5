import { describe, expect, test } from 'vitest';
import type { Pod, PodSpec, PodStatus } from '../../../src/core/kube-objects.ts';
import { ABANDONED_AFTER_MS, madeAgainEvent, STOPPED } from '../../../src/core/shadow-pod/home-lost.ts';
import { planShadowPod, UNSCHEDULABLE_AFTER_MS } from '../../../src/core/shadow-pod/plan-shadow-pod.ts';
import { type ShadowPod, type ShadowPodStatus, toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { translatePod } from '../../../src/core/shadow-pod/translate-pod.ts';

const NOW = Date.parse('2026-01-01T00:01:00Z');
const surroundings = { nameserver: '10.96.7.7', homeApi: undefined, clusterDomain: 'cluster.local' };
const made: ShadowPodStatus = { podUID: 'r1', phase: 'Running' };

function shadowOf(status: ShadowPodStatus | undefined, spec: Partial<PodSpec> = {}, more: object = {}): ShadowPod {
  const pod: Pod = {
    metadata: { name: 'web', namespace: 'demo', uid: 'u1' },
    spec: { containers: [{ name: 'c' }], ...spec },
  };
  const shadow = toShadowPod('cluster-a', { pod, virtualNode: 'headcut-b', objects: [], ...more });
  return { ...shadow, ...(status === undefined ? {} : { status }) };
}

function real(status: PodStatus, metadata: object = {}, spec: Partial<PodSpec> = {}): Pod {
  const pod = translatePod(shadowOf(undefined, spec), surroundings);
  return {
    ...pod,
    metadata: { ...pod.metadata, uid: 'r1', ...metadata },
    spec: { ...pod.spec, nodeName: 'b' },
    status,
  };
}

const plan = (
  shadow: ShadowPod,
  pod: Pod | undefined,
  homeLostMs: number | undefined,
  homeGoneMs: number | undefined = undefined,
) => planShadowPod({ shadow, pod, deleting: false, fenced: false, mayRun: true, homeLostMs, homeGoneMs, now: NOW });

const evicted: PodStatus = { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' };
const goingAway = {
  phase: 'Running',
  conditions: [{ type: 'DisruptionTarget', status: 'True' as const, message: 'Eviction API: evicting' }],
};

describe('a pod whose home is gone and that asks for a long time to end', () => {
  const long = (deletionGracePeriodSeconds: number) =>
    real({ phase: 'Running' }, { deletionTimestamp: '2026-01-01T00:00:59Z', deletionGracePeriodSeconds });
  const end = (pod: Pod) => plan(shadowOf(made), pod, undefined, ABANDONED_AFTER_MS).actions;

  test('gets less, also when it is being deleted with that time', () => {
    expect(end(long(315_360_000))).toEqual([{ type: 'delete-pod', uid: 'r1', gracePeriodSeconds: 10 }]);
    expect(end(long(10))).toEqual([]);
  });

  test('is killed when it has not ended some seconds after that', () => {
    const late = (deletionTimestamp: string) =>
      real({ phase: 'Running' }, { deletionTimestamp, deletionGracePeriodSeconds: 1 });
    expect(end(late('2026-01-01T00:00:50Z'))).toEqual([{ type: 'kill-pod', uid: 'r1' }]);
    expect(plan(shadowOf(made), late('2026-01-01T00:00:57Z'), undefined, ABANDONED_AFTER_MS)).toEqual({
      actions: [],
      requeueAfterMs: 2_000,
    });
  });

  test('is not given more than it asks for', () => {
    const quick = real({ phase: 'Running' }, {}, { terminationGracePeriodSeconds: 3 });
    expect(end(quick)).toEqual([{ type: 'delete-pod', uid: 'r1', gracePeriodSeconds: 3 }]);
  });
});

describe('a pod that is removed on its provider while its home is out of contact', () => {
  test('is made again, and that is noted once', () => {
    const { actions } = plan(shadowOf(made), undefined, 5_000);
    expect(actions.map(({ type }) => type)).toEqual(['write-status', 'create-pod']);
    const [note] = actions;
    const noted = note?.type === 'write-status' ? note.status : {};
    expect(plan(shadowOf(noted), undefined, 5_000).actions).toEqual([{ type: 'create-pod' }]);
    expect(madeAgainEvent(noted)[0]).toMatchObject({ id: 'again-r1', reason: 'MadeAgain', type: 'Warning' });
  });

  test('makes room first when its kubelet evicted it, and says why it did', () => {
    const { actions } = plan(shadowOf(made), real(evicted), 5_000);
    expect(actions).toMatchObject([
      { type: 'write-status', status: { madeAgain: { of: 'r1', why: evicted.message } } },
      { type: 'delete-pod', uid: 'r1' },
    ]);
  });

  test('has failed when it ends by itself, is fenced, or its home is there', () => {
    const once = { restartPolicy: 'Never' };
    const isFailed = { type: 'write-status', status: { phase: 'Failed' } };
    expect(plan(shadowOf(made, once), undefined, 5_000).actions).toMatchObject([isFailed]);
    expect(plan(shadowOf(made, {}, { fencing: { afterSeconds: 30 } }), undefined, 5_000).actions).toMatchObject([
      isFailed,
    ]);
    expect(plan(shadowOf(made), undefined, undefined).actions).toMatchObject([isFailed]);
    expect(plan(shadowOf(made, once), real(evicted, {}, once), 5_000).actions).toMatchObject([isFailed]);
  });

  test('is not made again when its own time limit ended it', () => {
    const ended = real({ phase: 'Failed', reason: 'DeadlineExceeded' });
    expect(plan(shadowOf(made), ended, 5_000).actions).toMatchObject([
      { type: 'write-status', status: { terminal: { reason: 'DeadlineExceeded' } } },
    ]);
  });

  test('waits for room instead of being refused: nobody would try elsewhere', () => {
    const waiting = real({
      phase: 'Pending',
      conditions: [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'Unschedulable',
          lastTransitionTime: new Date(NOW - UNSCHEDULABLE_AFTER_MS).toISOString(),
        },
      ],
    });
    const { nodeName: _, ...spec } = waiting.spec;
    expect(plan(shadowOf(made), { ...waiting, spec }, 5_000).actions).toEqual([]);
    expect(plan(shadowOf(made), { ...waiting, spec }, undefined).actions).toMatchObject([
      { status: { refusal: { kind: 'room' } } },
    ]);
  });
});

describe('a pod whose home wants it to stop when it is lost', () => {
  const shadow = (status: ShadowPodStatus) => shadowOf(status, {}, { consumerLost: { stopAfterSeconds: 10 } });

  test('goes on until then', () => {
    expect(plan(shadow(made), real({ phase: 'Running' }), 9_000)).toEqual({ actions: [], requeueAfterMs: 1_000 });
    expect(plan(shadow(made), real({ phase: 'Running' }), undefined)).toEqual({ actions: [] });
  });

  test('is stopped then, within 10 s whatever it asks for, and is told as stopped', () => {
    const first = plan(shadow(made), real({ phase: 'Running' }), 10_000).actions;
    expect(first).toEqual([{ type: 'write-status', status: { ...made, stopping: STOPPED } }]);
    const stopping = { ...made, stopping: STOPPED };
    for (const homeLostMs of [10_000, undefined])
      expect(plan(shadow(stopping), real({ phase: 'Running' }), homeLostMs).actions).toEqual([
        { type: 'delete-pod', uid: 'r1', gracePeriodSeconds: 10 },
      ]);
    const slow = { deletionTimestamp: '2026-01-01T00:01:59Z', deletionGracePeriodSeconds: 120 };
    expect(plan(shadow(stopping), real({ phase: 'Running' }, slow), 11_000).actions).toEqual([
      { type: 'delete-pod', uid: 'r1', gracePeriodSeconds: 10 },
    ]);
    for (const homeLostMs of [11_000, undefined])
      expect(plan(shadow(stopping), undefined, homeLostMs).actions).toMatchObject([
        { type: 'write-status', status: { phase: 'Failed', terminal: { reason: STOPPED.reason } } },
      ]);
  });
});

describe('a pod whose home is no member any more', () => {
  const over = ABANDONED_AFTER_MS;

  test('goes on for a while, and is looked at again then', () => {
    expect(plan(shadowOf(made), real({ phase: 'Running' }), undefined, over - 1_000)).toEqual({
      actions: [],
      requeueAfterMs: 1_000,
    });
  });

  test('is ended then, within a minute in all, and what was kept of it goes too', () => {
    expect(over).toBeLessThanOrEqual(40_000);
    const pods = [real({ phase: 'Running' }), real({ phase: 'Succeeded' })];
    for (const pod of pods)
      expect(plan(shadowOf(made), pod, undefined, over).actions).toEqual([
        { type: 'delete-pod', uid: 'r1', gracePeriodSeconds: 10 },
      ]);
    const leaving = real({ phase: 'Running' }, { deletionTimestamp: '2026-01-01T00:00:59Z' });
    expect(plan(shadowOf(made), leaving, undefined, over).actions).toEqual([]);
    expect(plan(shadowOf(made), undefined, undefined, over).actions).toEqual([{ type: 'delete-shadow-pod' }]);
  });
});

describe('a pod that is removed on its provider while its home is there', () => {
  const leaving = { deletionTimestamp: '2026-01-01T00:00:59Z' };

  test('has failed, also when its containers ended well: it never ends by itself', () => {
    const { actions } = plan(shadowOf(made), real({ ...goingAway, phase: 'Succeeded' }, leaving), undefined);
    expect(actions).toMatchObject([
      {
        type: 'write-status',
        status: {
          terminal: { phase: 'Failed', reason: 'RemovedOnProvider', message: expect.stringContaining('Eviction API') },
        },
      },
    ]);
  });

  test('has done its work when it was one that ends, and did', () => {
    const once = { restartPolicy: 'OnFailure' };
    const { actions } = plan(shadowOf(made, once), real({ phase: 'Succeeded' }, leaving, once), undefined);
    expect(actions).toMatchObject([{ status: { terminal: { phase: 'Succeeded' } } }]);
  });
});
