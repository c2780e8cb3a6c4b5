import { describe, expect, test } from 'vitest';
import { type FailoverRule, failoverRuleOf } from '../../../src/core/failover/failover-rule.ts';
import { planFailover } from '../../../src/core/failover/plan-failover.ts';
import type { Node, Pod } from '../../../src/core/kube-objects.ts';

function podOf(
  name: string,
  more: { kind?: string | undefined; node?: string; cpu?: string; annotations?: object } = {},
): Pod {
  const { kind = 'ReplicaSet', node = 'headcut-b', cpu = '100m', annotations = {} } = more;
  const owner = { apiVersion: 'apps/v1', kind, name: 'web', uid: 'o1', controller: true };
  return {
    metadata: {
      name,
      namespace: 'demo',
      uid: name,
      annotations: annotations as Record<string, string>,
      ...(kind === '' ? {} : { ownerReferences: [owner] }),
    },
    spec: {
      ...(node === '' ? {} : { nodeName: node }),
      containers: [{ name: 'c', resources: { requests: { cpu } } }],
      tolerations: [{ key: 'headcut.dev/virtual-node', operator: 'Exists' }],
    },
    status: { phase: node === '' ? 'Pending' : 'Running' },
  };
}

function nodeOf(name: string, cpu: string, ready = true): Node {
  const virtual = name.startsWith('headcut-');
  return {
    metadata: { name, labels: virtual ? { 'headcut.dev/peer': name } : {} },
    spec: virtual ? { taints: [{ key: 'headcut.dev/virtual-node', effect: 'NoSchedule' }] } : {},
    status: { allocatable: { cpu, pods: '110' }, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

const AFTER_5_S: FailoverRule = { move: true, afterMs: 5_000 };

function plan(
  pods: Pod[],
  nodes: Node[],
  now = 10_000,
  lost: Record<string, number> = { 'headcut-b': 0 },
  returnedAt?: number,
) {
  const { evict, stuck, nextInMs } = planFailover({
    lost: new Map(Object.entries(lost)),
    nodes: [...nodes, ...Object.keys(lost).map((name) => nodeOf(name, '4', false))],
    pods,
    ruleOf: () => AFTER_5_S,
    returnedAt,
    now,
  });
  const names = (list: Pod[]): string[] => list.map((pod) => pod.metadata.name);
  return { evict: names(evict), stuck: names(stuck), nextInMs };
}

describe('when a pod of a lost peer is replaced', () => {
  test.each([
    ['by default after 5 s', podOf('p'), undefined, undefined, 5_000],
    ['as the Federation has it', podOf('p'), undefined, { after: '1m30s' }, 90_000],
    ['rather as the Offloading of its namespace has it', podOf('p'), { after: '0s' }, { after: '1m' }, 0],
    [
      'rather as its own annotation has it',
      podOf('p', { annotations: { 'headcut.dev/failover-after': '7s' } }),
      { after: '0s' },
      undefined,
      7_000,
    ],
    [
      'not as an annotation has it that nobody can read',
      podOf('p', { annotations: { 'headcut.dev/failover-after': 'soon' } }),
      { after: '3s' },
      undefined,
      3_000,
    ],
    [
      'not so soon when it belongs to a Job, which may have ended there',
      podOf('p', { kind: 'Job' }),
      { after: '0s' },
      undefined,
      300_000,
    ],
    ['but a Job may say so', podOf('p', { kind: 'Job' }), { jobsAfter: '20s' }, undefined, 20_000],
  ])('%s', (_name, pod, namespace, federation, afterMs) => {
    expect(failoverRuleOf(pod, namespace, federation)).toEqual({ move: true, afterMs });
  });

  test.each([
    ['Never', podOf('p', { annotations: { 'headcut.dev/failover-after': 'Never' } })],
    ['no controller', podOf('p', { kind: '' })],
    ['belongs to its node', podOf('p', { kind: 'DaemonSet' })],
    ['never be two', podOf('p', { kind: 'StatefulSet' })],
  ])('never: %s', (why, pod) => {
    expect(failoverRuleOf(pod, undefined, undefined)).toEqual({ move: false, why: expect.stringContaining(why) });
  });
});

describe('the failover of a lost peer', () => {
  const home = nodeOf('home', '1');

  test('waits for the time of each pod, and says when the next one comes', () => {
    expect(plan([podOf('p')], [home], 4_000)).toEqual({ evict: [], stuck: [], nextInMs: 1_000 });
    expect(plan([podOf('p')], [home], 5_000)).toEqual({ evict: ['p'], stuck: [], nextInMs: undefined });
  });

  test('moves only as many pods as there is room for', () => {
    const pods = ['p1', 'p2', 'p3'].map((name) => podOf(name, { cpu: '400m' }));
    expect(plan(pods, [home])).toMatchObject({ evict: ['p1', 'p2'], stuck: ['p3'] });
    expect(plan(pods.toReversed(), [home])).toMatchObject({ evict: ['p1', 'p2'], stuck: ['p3'] });
  });

  test('moves nothing when every other member is lost as well, or full, or not fit', () => {
    const lost = { 'headcut-b': 0, 'headcut-c': 2_000 };
    const full = podOf('other', { node: 'home', cpu: '950m' });
    expect(plan([podOf('p'), full], [home], 10_000, lost)).toMatchObject({ evict: [], stuck: ['p'] });
    const cordoned = { ...home, spec: { unschedulable: true } };
    expect(plan([podOf('p')], [cordoned])).toMatchObject({ evict: [], stuck: ['p'] });
    const tied = podOf('p');
    tied.spec.nodeSelector = { 'kubernetes.io/hostname': 'headcut-b' };
    expect(plan([tied], [home])).toMatchObject({ evict: [], stuck: ['p'] });
  });

  test('moves pods of several lost peers at once, into one account of room', () => {
    const lost = { 'headcut-b': 0, 'headcut-c': 2_000 };
    const pods = [podOf('p1', { cpu: '600m' }), podOf('p2', { node: 'headcut-c', cpu: '600m' })];
    expect(plan(pods, [home], 10_000, lost)).toMatchObject({ evict: ['p1'], stuck: ['p2'] });
    expect(plan(pods, [home, nodeOf('headcut-d', '1')], 10_000, lost)).toMatchObject({ evict: ['p1', 'p2'] });
  });

  test('waits a moment for the others when one of several lost peers comes back', () => {
    const lost = { 'headcut-b': 0 };
    expect(plan([podOf('p')], [home], 10_000, lost, 9_000)).toEqual({ evict: [], stuck: [], nextInMs: 4_000 });
    expect(plan([podOf('p')], [home], 14_000, lost, 9_000)).toMatchObject({ evict: ['p'] });
  });

  test('counts the room of replacements that wait for a node already', () => {
    const replacement = podOf('replacement', { node: '', cpu: '600m' });
    expect(plan([podOf('p', { cpu: '600m' }), replacement], [home])).toMatchObject({ evict: [], stuck: ['p'] });
  });

  test('leaves alone what ended, what is going already, and what runs elsewhere', () => {
    const ended: Pod = { ...podOf('ended'), status: { phase: 'Succeeded' } };
    const going = podOf('going');
    going.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
    expect(plan([ended, going, podOf('away', { node: 'headcut-d' })], [home])).toEqual({
      evict: [],
      stuck: [],
      nextInMs: undefined,
    });
  });
});
