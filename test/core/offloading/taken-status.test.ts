import { describe, expect, test } from 'vitest';
import type { Condition, Pod, PodStatus } from '../../../src/core/kube-objects.ts';
import { toLocalStatus } from '../../../src/core/offloading/local-status.ts';
import { takenStatus } from '../../../src/core/offloading/taken-status.ts';

const pod = (more: object = {}, conditions: Condition[] = []): Pod => ({
  metadata: { name: 'web', namespace: 'demo', uid: 'u1' },
  spec: { containers: [{ name: 'c' }], initContainers: [{ name: 'i' }], ...more },
  status: { conditions },
});
const status = (more: Record<string, unknown>): PodStatus => more as PodStatus;

describe('of the status that a provider tells', () => {
  test('containers count that the pod has, each once', () => {
    const told = status({
      containerStatuses: [
        { name: 'c', ready: true },
        { name: 'mesh', ready: true },
        { name: 'c' },
        null,
        'x',
        { name: 'i' },
      ],
      initContainerStatuses: [{ name: 'i' }, { name: 'headcut-gate' }],
      ephemeralContainerStatuses: Array.from({ length: 10_000 }, (_, index) => ({ name: `d${index}` })),
    });
    expect(takenStatus(told, pod())).toEqual({
      containerStatuses: [{ name: 'c', ready: true }],
      initContainerStatuses: [{ name: 'i' }],
      ephemeralContainerStatuses: [],
    });
  });

  test('conditions count that Kubernetes takes, one of a type and a bounded number', () => {
    const many = Array.from({ length: 5_000 }, (_, index) => ({ type: `t${index}`, status: 'True' }));
    const told = [
      { type: 'Ready', status: 'True', lastTransitionTime: 'yesterday' },
      { type: 'Ready', status: 'False' },
      { type: 'no type', status: 'True' },
      { type: 'Odd', status: 'Perhaps' },
      null,
      ...many,
    ];
    const { conditions = [] } = takenStatus(status({ conditions: told }), pod());
    expect(conditions).toHaveLength(32);
    expect(conditions[0]).toEqual({ type: 'Ready', status: 'True' });
  });

  test('phases and times count that there are, and nothing that nobody knows', () => {
    expect(takenStatus(status({ phase: 'Gone', startTime: 'now', other: 'x', nominatedNodeName: 'n' }), pod())).toEqual(
      {},
    );
    expect(takenStatus(status({ phase: 'Running', startTime: '2026-01-01T00:00:00Z' }), pod())).toEqual({
      phase: 'Running',
      startTime: '2026-01-01T00:00:00Z',
    });
  });

  test('texts, lists and depth are bounded', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`);
    const told = status({
      message: 'x'.repeat(1_000_000),
      containerStatuses: [
        { name: 'c', deep, list: Array.from({ length: 100_000 }).fill('y'.repeat(100)), text: 'z'.repeat(1_000_000) },
      ],
    });
    const started = performance.now();
    expect(JSON.stringify(takenStatus(told, pod())).length).toBeLessThan(20_000);
    expect(performance.now() - started).toBeLessThan(50);
  });
});

describe('a pod with a readiness gate', () => {
  const GATE = 'example.com/load-balanced';
  const gated = (gate?: 'True' | 'False', more: Condition[] = []): Pod => {
    const condition = { type: GATE, status: gate ?? 'True', lastTransitionTime: '2026-01-01T00:00:09Z' };
    return pod({ readinessGates: [{ conditionType: GATE }] }, [...(gate === undefined ? [] : [condition]), ...more]);
  };
  const told = (containersReady: 'True' | 'False'): PodStatus => ({
    conditions: [
      { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', lastTransitionTime: '2026-01-01T00:00:05Z' },
      { type: 'ContainersReady', status: containersReady, lastTransitionTime: '2026-01-01T00:00:05Z' },
      { type: GATE, status: 'False' },
    ],
  });
  const conditionsOf = (local: Pod, containersReady: 'True' | 'False' = 'True'): Condition[] =>
    toLocalStatus(told(containersReady), local).conditions ?? [];
  const readyOf = (...args: Parameters<typeof conditionsOf>): Condition | undefined =>
    conditionsOf(...args).find(({ type }) => type === 'Ready');

  test('is Ready when its containers are and its home has opened the gate', () => {
    expect(readyOf(gated('True'))).toEqual({
      type: 'Ready',
      status: 'True',
      lastTransitionTime: '2026-01-01T00:00:09Z',
    });
    expect(readyOf(gated('False'))).toMatchObject({ status: 'False', message: expect.stringContaining('but False') });
    expect(readyOf(gated())).toMatchObject({ status: 'False', message: expect.stringContaining('does not exist') });
    expect(readyOf(gated('True'), 'False')).toMatchObject({ status: 'False' });
  });

  test('has no say of its provider about the gate', () => {
    expect(conditionsOf(gated('True')).some(({ type }) => type === GATE)).toBe(false);
  });

  test('stays Ready since when it was', () => {
    const ready: Condition = { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:07Z' };
    expect(readyOf(gated('True', [ready]))).toEqual(ready);
  });
});
