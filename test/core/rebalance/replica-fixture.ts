import type { Node, Pod } from '../../../src/core/kube-objects.ts';

const tolerations = [{ key: 'headcut.dev/virtual-node', operator: 'Exists', effect: 'NoSchedule' }];

/** A node that is up; `a` is a real one, all others are virtual. */
export function node(name: string, more: { ready?: boolean; cpu?: string } = {}): Node {
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

/** A pod of a ReplicaSet, which asks for one CPU. */
export function replica(
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
