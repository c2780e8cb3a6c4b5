import { expect, test } from 'vitest';
import type { Node, PodSpec, PodStatus } from '../../../src/core/kube-objects.ts';
import { DEFAULT_MEMBER_LIMITS, memberLimitsOf, planLimits } from '../../../src/core/shadow-pod/member-limits.ts';
import { type ShadowPod, toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const node: Node = {
  metadata: { name: 'b' },
  status: { allocatable: { pods: '110' }, conditions: [{ type: 'Ready', status: 'True' }] },
};

const shadowOf = (uid: string, { namespace = 'demo', spec = {} as Partial<PodSpec>, endedAt = '' } = {}): ShadowPod => {
  const pod = { metadata: { name: uid, namespace, uid }, spec: { containers: [{ name: 'c' }], ...spec } };
  const shadow = toShadowPod('cluster-a', { pod, virtualNode: 'headcut-b', objects: [] });
  const state = { terminated: { finishedAt: endedAt } };
  const terminal: PodStatus = {
    phase: 'Succeeded',
    containerStatuses: [{ name: 'c', ready: false, restartCount: 0, state }],
  };
  return endedAt === '' ? shadow : { ...shadow, status: { terminal } };
};
const plan = (
  shadows: ShadowPod[],
  shadow: ShadowPod,
  limits: Partial<typeof DEFAULT_MEMBER_LIMITS & { pods: number }>,
) =>
  planLimits({
    shadows,
    shadow,
    submitting: [`${shadow.metadata.namespace}/${shadow.metadata.name}`],
    twins: [...new Set(shadows.map(({ metadata }) => metadata.namespace ?? ''))],
    limits: { pods: 2, ...DEFAULT_MEMBER_LIMITS, ...limits },
    now: NOW,
  });

test('a member may have twice the pods of the nodes, unless the owner says another number', () => {
  expect(memberLimitsOf(undefined, [node])).toEqual({ pods: 220, ...DEFAULT_MEMBER_LIMITS });
  expect(memberLimitsOf({ pods: 7, services: 1 }, [node])).toMatchObject({ pods: 7, services: 1, namespaces: 64 });
  expect(memberLimitsOf(undefined, [])).toMatchObject({ pods: 220 });
});

test('a pod over the limit waits and says which it is', () => {
  const refused = plan([shadowOf('u1'), shadowOf('u2')], shadowOf('u3'), {});
  expect(refused).toMatchObject({ accepted: false, kind: 'later', reason: 'TooManyPods' });
  expect(refused).toHaveProperty('message', expect.stringContaining('guests.perMember.pods'));
});

test('of pods that have ended, and whose home was told so, the oldest make room', () => {
  const [early, late] = [
    shadowOf('u1', { endedAt: '2026-01-01T10:00:00Z' }),
    shadowOf('u2', { endedAt: '2026-01-01T11:00:00Z' }),
  ];
  expect(plan([late, early], shadowOf('u3'), {})).toEqual({ makeRoom: [early] });
  const justNow = shadowOf('u4', { endedAt: '2026-01-01T11:59:50Z' });
  expect(plan([justNow, shadowOf('u5')], shadowOf('u3'), {})).toMatchObject({ reason: 'TooManyPods' });
  // The logs of all others are still there.
  expect(plan([early], shadowOf('u3'), {})).toEqual({ makeRoom: [] });
});

test('what is being submitted counts, or many at once would be over the limit', () => {
  const at = { shadows: [], twins: [], limits: { pods: 2, ...DEFAULT_MEMBER_LIMITS, namespaces: 2 }, now: NOW };
  const shadow = shadowOf('u3');
  const submitting = ['other-1/x', 'other-2/y'];
  expect(planLimits({ ...at, shadow, submitting })).toMatchObject({ reason: 'TooManyNamespaces' });
  const { namespace } = shadow.metadata;
  const same = [`${namespace}/x`, `${namespace}/y`];
  expect(planLimits({ ...at, shadow, submitting: same })).toMatchObject({ reason: 'TooManyPods' });
});

test('namespaces and objects are counted over all pods of the member', () => {
  const naming = (name: string) => ({ containers: [{ name: 'c', envFrom: [{ secretRef: { name } }] }] });
  const others = shadowOf('u1', { namespace: 'other', spec: naming('s') });
  expect(plan([others], shadowOf('u2'), { namespaces: 1 })).toMatchObject({ reason: 'TooManyNamespaces' });
  expect(plan([others], shadowOf('u2', { namespace: 'other' }), { namespaces: 1 })).toEqual({ makeRoom: [] });
  expect(plan([others], shadowOf('u2', { spec: naming('s') }), { objects: 1 })).toMatchObject({
    reason: 'TooManyObjects',
  });
  expect(plan([others], shadowOf('u2', { namespace: 'other', spec: naming('s') }), { objects: 1 })).toEqual({
    makeRoom: [],
  });
});
