import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { ResourceType } from '../../src/kube/resources.ts';

/** What the API server of a cluster `a` lists, with two peers: `b` connected, `c` unreachable. Time stands still at NOW. */

export const NOW = Date.parse('2026-01-01T12:00:00Z');
const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace('.000', '');
const id = (letter: string): string => letter.repeat(52);

function peer(name: string, status: object): KubeObject {
  return {
    metadata: { name, creationTimestamp: ago(86_400) },
    spec: {
      id: id(name),
      name,
      endpoints: [`192.0.2.${name.charCodeAt(0) - 96}:7443`],
      certificate: '',
      incarnation: 1,
      protocol: 4,
    },
    status,
  };
}

function node(name: string, more: { peer?: string; ready?: boolean; allocatable: Record<string, string> }): Node {
  const { peer: of, ready = true, allocatable } = more;
  const labels = { 'kubernetes.io/hostname': name, ...(of === undefined ? {} : { 'headcut.dev/peer': id(of) }) };
  const lost = ready ? [] : [{ key: 'headcut.dev/unreachable', effect: 'NoSchedule' }];
  const taints = of === undefined ? [] : [{ key: 'headcut.dev/virtual-node', effect: 'NoSchedule' }, ...lost];
  const condition = ready
    ? { type: 'Ready', status: 'True' as const }
    : { type: 'Ready', status: 'False' as const, message: `no contact with ${of}` };
  return { metadata: { name, labels }, spec: { taints }, status: { allocatable, conditions: [condition] } };
}

const tolerations = [{ key: 'headcut.dev/virtual-node', operator: 'Exists', effect: 'NoSchedule' }];

function pod(
  name: string,
  more: { node?: string; cpu?: string; status?: Pod['status']; labels?: object; spec?: object },
): Pod {
  const { node: nodeName, cpu = '100m', status, labels = {}, spec = {} } = more;
  return {
    metadata: {
      name,
      namespace: 'demo',
      uid: `uid-${name}`,
      creationTimestamp: ago(300),
      labels: { app: 'web', ...labels },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'rs', controller: true }],
    },
    spec: {
      ...(nodeName === undefined ? {} : { nodeName }),
      containers: [{ name: 'c', resources: { requests: { cpu, memory: '64Mi' } } }],
      tolerations,
      ...spec,
    },
    status: status ?? {
      phase: 'Running',
      startTime: ago(300),
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: ago(290) }],
    },
  };
}

const guest = pod('job-1', {
  node: 'a',
  labels: { 'headcut.dev/origin-cluster': id('b'), 'headcut.dev/origin-namespace': 'batch' },
});
guest.metadata.namespace = 'batch-92a0c62f';
const loner = pod('loner', { node: 'headcut-c' });
delete loner.metadata.ownerReferences;

const CONNECTED = { type: 'Connected', status: 'True', message: 'heartbeats arrive', lastTransitionTime: ago(7_200) };
const LOST = {
  type: 'Connected',
  status: 'False',
  message: 'cannot reach c at 192.0.2.3:7443: connect ETIMEDOUT',
  lastTransitionTime: ago(180),
};

const condition = (type: string, status: string, reason: string, message = '') => ({ type, status, reason, message });

function shared(name: string, more: object, ours = true): KubeObject {
  const labels = ours ? { 'app.kubernetes.io/managed-by': 'headcut' } : {};
  return { metadata: { namespace: 'shop', name, labels }, ...more };
}

function importSlice(name: string, cluster: string, addresses: string[]): KubeObject {
  const labels = {
    'multicluster.kubernetes.io/service-name': name,
    'multicluster.kubernetes.io/source-cluster': id(cluster),
  };
  return {
    metadata: { namespace: 'shop', name: `${name}-${cluster}`, labels },
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

/** `web` of this cluster and of b, `db` of c alone, which is out of contact, and `old`, whose Service is gone. */
const SHARED = {
  serviceexports: [
    shared('web', {
      status: {
        conditions: [
          condition('Valid', 'True', 'Valid'),
          condition('Ready', 'True', 'Exported'),
          condition('Conflict', 'True', 'PortConflict', 'the ports of b differ from those of a'),
        ],
      },
    }),
    shared('old', {
      status: {
        conditions: [
          condition('Valid', 'False', 'NoService', 'there is no Service old in namespace shop'),
          condition('Ready', 'False', 'Pending', 'the export is not valid'),
        ],
      },
    }),
  ],
  serviceimports: [
    shared('web', {
      spec: { type: 'ClusterSetIP', ips: ['10.96.4.1'] },
      status: {
        clusters: [{ cluster: id('a') }, { cluster: id('b') }],
        conditions: [condition('Ready', 'True', 'Ready')],
      },
    }),
    shared('db', {
      spec: { type: 'Headless' },
      status: { clusters: [{ cluster: id('c') }], conditions: [condition('Ready', 'True', 'Ready')] },
    }),
  ],
  endpointslices: [importSlice('web', 'a', ['10.244.0.4']), importSlice('web', 'b', ['100.64.2.5', '100.64.2.6'])],
};

export const OBJECTS: Record<string, KubeObject[]> = {
  ...SHARED,
  federations: [
    {
      metadata: { name: 'headcut' },
      status: {
        id: id('a'),
        name: 'a',
        version: '0.1.0',
        endpoints: ['192.0.2.1:7443'],
        network: { prefix: '100.64.1.0/24' },
      },
    },
  ],
  peers: [
    peer('b', {
      state: 'Connected',
      version: '0.1.0',
      roundTripMs: 3,
      conditions: [CONNECTED],
      network: { path: 'UDP', prefix: '100.64.2.0/24' },
    }),
    peer('c', {
      state: 'Unreachable',
      version: '0.0.9',
      lastSeen: ago(183),
      conditions: [LOST],
      network: { path: null, prefix: null },
    }),
  ],
  nodes: [
    node('a', { allocatable: { cpu: '2', memory: '4Gi', pods: '110' } }),
    node('headcut-b', { peer: 'b', allocatable: { cpu: '1500m', memory: '3Gi', pods: '100' } }),
    node('headcut-c', { peer: 'c', ready: false, allocatable: { cpu: '1', memory: '2Gi', pods: '100' } }),
  ],
  pods: [
    pod('web-1', { node: 'a' }),
    pod('web-2', { node: 'headcut-b' }),
    pod('web-3', { node: 'headcut-c' }),
    loner,
    pod('pinned', { node: 'headcut-c', spec: { nodeSelector: { 'kubernetes.io/hostname': 'headcut-c' } } }),
    pod('refused', {
      node: 'headcut-b',
      status: { phase: 'Pending', reason: 'RefusedByProvider', message: 'violates PodSecurity "baseline": privileged' },
    }),
    pod('big', {
      cpu: '64',
      status: {
        phase: 'Pending',
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            message: '0/3 nodes are available: 3 Insufficient cpu.',
          },
        ],
      },
    }),
    guest,
  ],
  namespaces: [
    { metadata: { name: 'default' } },
    { metadata: { name: 'demo', labels: { 'headcut.dev/offload': 'true' } } },
    {
      metadata: {
        name: 'batch-92a0c62f',
        labels: { 'headcut.dev/origin-cluster': id('b'), 'headcut.dev/origin-namespace': 'batch' },
      },
    },
  ],
  offloadings: [],
};

/** A client over fixed objects: reads them, and remembers what is written. */
export class FixedCluster {
  readonly writes: string[] = [];
  readonly objects: Record<string, KubeObject[]>;
  closed = 0;
  /** What an agent would do when it sees the change. */
  onPatch: (plural: string, patch: unknown) => void = () => {};

  constructor(objects: Record<string, KubeObject[]> = OBJECTS) {
    this.objects = structuredClone(objects);
  }

  readonly client = {
    list: (type: ResourceType, options: { namespace?: string; query?: Record<string, string> } = {}) => {
      const { namespace, query = {} } = options;
      const [, wantedNode] = /spec\.nodeName=(.*)/.exec(query.fieldSelector ?? '') ?? [];
      const [label, value] = (query.labelSelector ?? '').split('=');
      const items = (this.objects[type.plural] ?? [])
        .filter((one) => namespace === undefined || one.metadata.namespace === namespace)
        .filter((one) => wantedNode === undefined || (one as Pod).spec.nodeName === wantedNode)
        .filter((one) => label === undefined || label === '' || has(one, label, value));
      return Promise.resolve({ items: structuredClone(items), resourceVersion: '1' });
    },
    get: (type: ResourceType, { namespace, name }: { namespace?: string; name?: string }) => {
      const found = this.objects[type.plural]?.find(
        (one) => one.metadata.name === name && (namespace === undefined || one.metadata.namespace === namespace),
      );
      if (found !== undefined) return Promise.resolve(structuredClone(found));
      const details = { name, kind: type.plural };
      return Promise.reject(
        new ApiError(404, { message: `${type.plural} "${name}" not found`, reason: 'NotFound', details }),
      );
    },
    patch: (type: ResourceType, { name }: { name: string }, patch: unknown) => {
      this.writes.push(`patch ${type.plural}/${name} ${JSON.stringify(patch)}`);
      this.onPatch(type.plural, patch);
      return Promise.resolve({});
    },
    create: (type: ResourceType, object: KubeObject, options: { subresource?: string } = {}) => {
      this.writes.push(`create ${type.plural}/${options.subresource ?? ''} ${object.metadata.name}`);
      // What is evicted is gone at the next look.
      if (options.subresource === 'eviction')
        this.objects.pods = (this.objects.pods ?? []).filter((one) => one.metadata.name !== object.metadata.name);
      return Promise.resolve(object);
    },
    delete: (type: ResourceType, { name }: { name: string }) => {
      this.writes.push(`delete ${type.plural}/${name}`);
      const before = this.objects[type.plural] ?? [];
      this.objects[type.plural] = before.filter((one) => one.metadata.name !== name);
      if (before.some((one) => one.metadata.name === name)) return Promise.resolve();
      return Promise.reject(new ApiError(404, { message: `${type.plural} "${name}" not found`, reason: 'NotFound' }));
    },
    close: () => {
      this.closed += 1;
      return Promise.resolve();
    },
  } as unknown as KubeClient;
}

function has(object: KubeObject, label: string, value: string | undefined): boolean {
  const found = object.metadata.labels?.[label];
  return value === undefined ? found !== undefined : found === value;
}
