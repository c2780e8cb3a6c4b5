import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../../src/core/kube-objects.ts';
import { planRebalance } from '../../../src/core/rebalance/plan-rebalance.ts';

const tolerations = [{ key: 'headcut.dev/virtual-node', operator: 'Exists', effect: 'NoSchedule' }];

function node(name: string, more: { ready?: boolean; cpu?: string } = {}): Node {
  const { ready = true, cpu = '4' } = more;
  const taints = name === 'a' ? [] : [{ key: 'headcut.dev/virtual-node', effect: 'NoSchedule' }];
  const conditions = [{ type: 'Ready', status: ready ? ('True' as const) : ('False' as const) }];
  return {
    metadata: { name, labels: {} },
    spec: { taints },
    status: { allocatable: { cpu, memory: '8Gi', pods: '110' }, conditions },
  };
}

let count = 0;

function replica(
  nodeName: string,
  more: { kind?: string; ready?: boolean; tolerates?: boolean; owner?: string } = {},
): Pod {
  const { kind = 'ReplicaSet', ready = true, tolerates = true, owner = 'rs' } = more;
  count += 1;
  return {
    metadata: {
      name: `p${count}`,
      namespace: 'demo',
      uid: `u${count}`,
      ownerReferences: [{ apiVersion: 'apps/v1', kind, name: owner, uid: owner, controller: true }],
    },
    spec: {
      nodeName,
      containers: [{ name: 'c', resources: { requests: { cpu: '1' } } }],
      ...(tolerates ? { tolerations } : {}),
    },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

const nodes = [node('a'), node('headcut-b'), node('headcut-c')];
const moves = (pods: Pod[], on: Node[] = nodes) =>
  planRebalance({ pods, nodes: on }).map(({ from, to }) => `${from} to ${to}`);

describe('evening out', () => {
  test('moves one replica at a time from the fullest node to the emptiest', () => {
    expect(moves([replica('a'), replica('a'), replica('a'), replica('headcut-b')])).toEqual(['a to headcut-c']);
  });

  test('leaves alone what is even, and what differs by one', () => {
    expect(moves([replica('a'), replica('headcut-b'), replica('headcut-c')])).toEqual([]);
    expect(moves([replica('a'), replica('a'), replica('headcut-b'), replica('headcut-c')])).toEqual([]);
  });

  test('waits until all replicas are Ready', () => {
    expect(moves([replica('a'), replica('a'), replica('a', { ready: false })])).toEqual([]);
  });

  test('goes nowhere without room, readiness or toleration', () => {
    const pods = [replica('a'), replica('a'), replica('a')];
    expect(moves(pods, [node('a'), node('headcut-b', { cpu: '500m' }), node('headcut-c', { ready: false })])).toEqual(
      [],
    );
    expect(moves(pods.map(() => replica('a', { tolerates: false })))).toEqual([]);
  });

  test('looks at each controller alone, and at Deployments only', () => {
    const other = { owner: 'other' };
    expect(moves([replica('a'), replica('a'), replica('headcut-b', other), replica('headcut-b', other)])).toEqual([
      'a to headcut-b',
      'headcut-b to a',
    ]);
    expect(moves([1, 2, 3].map(() => replica('a', { kind: 'StatefulSet' })))).toEqual([]);
  });
});
