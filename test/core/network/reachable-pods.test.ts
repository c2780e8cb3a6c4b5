import { describe, expect, test } from 'vitest';
import type { Pod } from '../../../src/core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, VIRTUAL_NODE_TAINT } from '../../../src/core/labels.ts';
import { parsePrefix } from '../../../src/core/network/prefix.ts';
import { type NamespaceFacts, reachablePods } from '../../../src/core/network/reachable-pods.ts';

const tolerations = [{ key: VIRTUAL_NODE_TAINT, operator: 'Exists' }];

function pod(namespace: string, podIP: string, more: { labels?: object; spec?: object; phase?: string } = {}): Pod {
  return {
    metadata: { name: podIP, namespace, labels: more.labels ?? {} },
    spec: { containers: [], ...more.spec },
    status: { phase: more.phase ?? 'Running', podIP },
  } as Pod;
}

const reachable = (...pods: Pod[]): string[] => reachablePods(pods, parsePrefix('10.244.0.0/24'));

test('others reach pods that run here for them, and all pods of namespaces that are offloaded', () => {
  expect(
    reachable(
      pod('demo', '10.244.0.9', { spec: { tolerations } }),
      // Not offloadable itself, but its neighbours are.
      pod('demo', '10.244.0.8'),
      pod('demo-x', '10.244.0.7', { labels: { [ORIGIN_CLUSTER_LABEL]: 'b' } }),
    ),
  ).toEqual(['10.244.0.7', '10.244.0.8', '10.244.0.9']);
});

test('others reach no pods that are none of their business, nor the node', () => {
  expect(
    reachable(
      pod('kube-system', '10.244.0.2', { spec: { tolerations: [{ operator: 'Exists' }] } }),
      pod('default', '10.244.0.3'),
      pod('demo', '10.244.0.4', { spec: { tolerations }, phase: 'Succeeded' }),
      pod('demo', '192.168.1.5', { spec: { tolerations, hostNetwork: true } }),
      pod('demo', '100.64.2.5', { spec: { tolerations } }),
    ),
  ).toEqual([]);
});

describe('what a namespace says', () => {
  const facts: NamespaceFacts = {
    isOffloaded: (namespace) => namespace === 'demo',
    twinOf: (namespace) => (namespace === 'demo-x' ? 'b' : undefined),
    isVirtual: (node) => node === 'headcut-b',
    isExported: ({ metadata }) => metadata.name === 'exported',
  };
  const reached = (...pods: Pod[]): string[] => reachablePods(pods, parsePrefix('10.244.0.0/24'), facts);

  test('opens it, also for pods that were made before, and as long as some of its pods are elsewhere', () => {
    expect(
      reached(
        pod('demo', '10.244.0.8'),
        pod('demo-x', '10.244.0.7', { labels: { [ORIGIN_CLUSTER_LABEL]: 'b' } }),
        pod('former', '10.244.0.6'),
        pod('former', '100.64.2.5', { spec: { nodeName: 'headcut-b' } }),
      ),
    ).toEqual(['10.244.0.6', '10.244.0.7', '10.244.0.8']);
  });

  test('opens no more of other namespaces than the pods of exported Services', () => {
    const exported = pod('plain', '10.244.0.9');
    exported.metadata.name = 'exported';
    expect(reached(exported, pod('plain', '10.244.0.2'))).toEqual(['10.244.0.9']);
  });

  test('is not said by labels and tolerations that its users give their pods', () => {
    expect(
      reached(
        pod('plain', '10.244.0.2', { spec: { tolerations } }),
        pod('plain', '10.244.0.3', { labels: { [ORIGIN_CLUSTER_LABEL]: 'b' } }),
        pod('demo-x', '10.244.0.4', { labels: { [ORIGIN_CLUSTER_LABEL]: 'c' } }),
        pod('refused', '10.244.0.5'),
        pod('refused', '', { spec: { nodeName: 'headcut-b' }, phase: 'Failed' }),
      ),
    ).toEqual([]);
  });
});
