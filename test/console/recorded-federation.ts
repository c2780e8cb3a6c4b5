import type { Moment } from '../../src/core/history/moment.ts';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';

/** A federation as a real one looks from member `oslo`, with as many others as are asked for; times are before `now`. */

const CITIES =
  'bergen tromso aarhus malmo turku tartu riga vilnius gdansk lodz brno graz linz ulm bonn jena kiel essen ghent lille lyon nantes porto braga faro cadiz vigo murcia turin parma siena bari split zadar pula novi-sad varna burgas iasi cluj pecs szeged kosice zilina krakow opole basel bern chur lugano'.split(
    ' ',
  );

export interface Recorded {
  objects: Record<string, KubeObject[]>;
  names: string[];
}

const id = (name: string): string =>
  name
    .replace(/[^a-z]/g, '')
    .padEnd(52, 'q')
    .slice(0, 52);

export function recordedFederation(options: { members: number; now: number; names?: string[] }): Recorded {
  const { members, now } = options;
  const names = (options.names ?? CITIES).slice(0, members).sort();
  const ago = (seconds: number): string => `${new Date(now - seconds * 1000).toISOString().slice(0, 19)}Z`;
  const lost = new Set(names.filter((_, at) => at % 11 === 4));
  const peers = names.map((name, at) =>
    peer(name, { at, lost: lost.has(name), ago, via: at === 7 ? names[2] : undefined }),
  );
  const nodes = [
    node('oslo', undefined, { ready: true, at: 0, ago }),
    ...names.map((name, at) => node(`headcut-${objectName(name)}`, name, { ready: !lost.has(name), at, ago })),
  ];
  const pods = [...workload({ names, now, ago, lost }), ...guests(names, ago)];
  return {
    names: names.map(objectName),
    objects: {
      federations: [
        {
          metadata: { name: 'headcut' },
          status: {
            ...{ id: id('oslo'), name: 'oslo', version: '0.1.0', endpoints: ['192.0.2.1:7443'] },
            network: { prefix: '100.107.46.0/24', tunnels: null },
          },
        },
      ],
      peers,
      nodes,
      pods,
      namespaces: [
        { metadata: { name: 'shop', labels: { 'headcut.dev/offload': 'true' } } },
        { metadata: { name: 'media', labels: { 'headcut.dev/offload': 'true' } } },
        { metadata: { name: 'default' } },
        { metadata: { name: 'blog' } },
        { metadata: { name: 'kube-system' } },
        { metadata: { name: 'batch-92a0c62f', labels: { 'headcut.dev/origin-cluster': id(names[0] ?? '') } } },
      ],
      offloadings: [],
      deployments: ['web', 'api'].map((name) => ({ metadata: { name, namespace: 'shop' }, spec: { replicas: 6 } })),
      statefulsets: [{ metadata: { name: 'db', namespace: 'shop' }, spec: { replicas: 3 } }],
      events: [
        {
          metadata: { name: 'web.1', namespace: 'shop' },
          involvedObject: { kind: 'Pod', namespace: 'shop', name: 'web-5c44c9d89b-aa1' },
          ...{ type: 'Normal', reason: 'Started', message: 'Pulled image; created container; started container' },
          lastTimestamp: ago(2_400),
        },
      ],
      configmaps: [
        {
          metadata: { name: 'headcut-history', namespace: 'headcut-system' },
          data: { 'moments.json': JSON.stringify(moments(names, ago)) },
        },
      ],
    },
  };
}

/** Object names are no markup; what a member calls itself may be anything. */
function objectName(name: string): string {
  return /^[a-z0-9.-]+$/.test(name) ? name : 'cluster';
}

function peer(
  name: string,
  more: { at: number; lost: boolean; ago(seconds: number): string; via: string | undefined },
): KubeObject {
  const { at, lost, ago, via } = more;
  const connected = lost
    ? { status: 'False', reason: 'PeerDown', message: 'no other member reaches it either: the peer sent no heartbeat' }
    : { status: 'True', reason: 'Heartbeat', message: 'heartbeats arrive' };
  return {
    metadata: { name: objectName(name), uid: `peer-${at}`, creationTimestamp: ago(86_400) },
    spec: {
      ...{ id: id(name), name, endpoints: [`192.0.2.${at + 2}:7443`], certificate: '', incarnation: 1, protocol: 4 },
    },
    status: {
      ...{ state: lost ? 'Unreachable' : 'Connected', version: '0.1.0' },
      ...(lost ? { lastSeen: ago(184) } : { roundTripMs: Math.round(((at * 37) % 290) + 8) / 10 }),
      ...(via === undefined ? {} : { via }),
      network: { path: at % 6 === 3 ? 'TLS' : 'UDP', prefix: `100.64.${at}.0/24` },
      conditions: [{ type: 'Connected', ...connected, lastTransitionTime: ago(lost ? 181 : 7_200 + at * 977) }],
    },
  };
}

function node(
  name: string,
  of: string | undefined,
  more: { ready: boolean; at: number; ago(seconds: number): string },
): Node {
  const { ready, at, ago } = more;
  const labels = {
    'kubernetes.io/hostname': name,
    ...(of === undefined ? {} : { 'headcut.dev/peer': id(of) }),
  };
  return {
    metadata: { name, labels },
    spec: { taints: of === undefined ? [] : [{ key: 'headcut.dev/virtual-node', effect: 'NoSchedule' }] },
    status: {
      allocatable: { cpu: `${1500 + ((at * 700) % 6000)}m`, memory: `${4 + ((at * 3) % 24)}Gi`, pods: '110' },
      conditions: [
        {
          ...{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: ago(181) },
          ...(ready ? {} : { message: `no contact with ${of}` }),
        },
      ],
    },
  };
}

interface Setting {
  names: string[];
  now: number;
  ago(seconds: number): string;
  lost: ReadonlySet<string>;
}

function workload({ names, ago, lost }: Setting): Pod[] {
  const alive = names.filter((name) => !lost.has(name)).map(objectName);
  const place = (at: number): string => (at % 4 === 0 ? 'oslo' : `headcut-${alive[at % alive.length]}`);
  const make = (
    namespace: string,
    name: string,
    owner: { kind: string; name: string; hash?: string },
    more: Partial<{ node: string; status: Pod['status']; cpu: string; age: number }>,
  ): Pod => ({
    metadata: {
      ...{ namespace, name, uid: `uid-${namespace}-${name}`, creationTimestamp: ago(more.age ?? 5_400) },
      labels: owner.hash === undefined ? {} : { 'pod-template-hash': owner.hash },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: owner.kind, name: owner.name, uid: owner.name, controller: true },
      ],
    },
    spec: {
      ...(more.node === undefined ? {} : { nodeName: more.node }),
      containers: [
        {
          ...{ name: 'main', image: `registry.example/${namespace}/${owner.name.split('-')[0]}:2.4` },
          resources: { requests: { cpu: more.cpu ?? '250m', memory: '256Mi' } },
        },
      ],
      tolerations: [{ key: 'headcut.dev/virtual-node', operator: 'Exists', effect: 'NoSchedule' }],
    },
    status: more.status ?? {
      ...{ phase: 'Running', startTime: ago((more.age ?? 5_400) - 2), podIP: '100.103.152.3' },
      conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
        ...{ type, status: 'True' as const, lastTransitionTime: ago((more.age ?? 5_400) - 6) },
      })),
      containerStatuses: [
        { name: 'main', ready: true, restartCount: 0, state: { running: { startedAt: ago(5_390) } } },
      ],
    },
  });
  const web = { kind: 'ReplicaSet', name: 'web-5c44c9d89b', hash: '5c44c9d89b' };
  const api = { kind: 'ReplicaSet', name: 'api-77d9f8c6b4', hash: '77d9f8c6b4' };
  const letters = ['aa1', 'bk4', 'cx9', 'dm2', 'ez7', 'fq5'];
  return [
    ...letters.map((letter, at) => make('shop', `${web.name}-${letter}`, web, { node: place(at + 1) })),
    ...letters
      .slice(0, 5)
      .map((letter, at) =>
        make('shop', `${api.name}-${letter}`, api, { node: place(at + 2), age: at === 2 ? 170 : 9_000 }),
      ),
    make('shop', `${api.name}-fq5`, api, {
      cpu: '12',
      status: {
        phase: 'Pending',
        conditions: [
          {
            ...{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' },
            message: `0/${names.length + 1} nodes are available: ${names.length + 1} Insufficient cpu.`,
          },
        ],
      },
    }),
    ...[0, 1, 2].map((at) => make('shop', `db-${at}`, { kind: 'StatefulSet', name: 'db' }, { node: place(at) })),
    ...[0, 1].map((at) =>
      make('media', `encode-${at}`, { kind: 'Job', name: 'encode' }, { node: place(at + 1), cpu: '1', age: 900 }),
    ),
    make('blog', 'ghost-0', { kind: 'StatefulSet', name: 'ghost' }, { node: 'oslo' }),
  ];
}

function guests(names: readonly string[], ago: (seconds: number) => string): Pod[] {
  return [0, 1].map((at) => ({
    metadata: {
      ...{ namespace: 'batch-92a0c62f', name: `report-${at}`, uid: `guest-${at}`, creationTimestamp: ago(700) },
      labels: { 'headcut.dev/origin-cluster': id(names[0] ?? ''), 'headcut.dev/origin-namespace': 'batch' },
    },
    spec: { nodeName: 'oslo', containers: [{ name: 'main', resources: { requests: { cpu: '200m' } } }] },
    status: { phase: 'Running', startTime: ago(700), conditions: [{ type: 'Ready', status: 'True' }] },
  }));
}

function moments(names: readonly string[], ago: (seconds: number) => string): Moment[] {
  const [first = '', second = '', third = '', , fifth = second] = names.map(objectName);
  return [
    { at: ago(31_000), kind: 'started', text: 'headcut 0.1.0' },
    { at: ago(30_400), kind: 'joined', peer: third },
    { at: ago(21_900), kind: 'lost', peer: first, text: 'the peer sent no heartbeat' },
    { at: ago(21_700), kind: 'back', peer: first, seconds: 204 },
    { at: ago(3_100), kind: 'path', peer: second, text: 'packets travel by TLS, before by UDP' },
    { at: ago(2_050), kind: 'moved', peer: second, namespace: 'shop', workload: 'Deployment/web', pods: 2 },
    {
      at: ago(1_400),
      kind: 'refused',
      peer: third,
      namespace: 'shop',
      workload: 'Deployment/api',
      text: 'not enough cpu (12 asked, 3400m free)',
      count: 3,
    },
    { at: ago(181), kind: 'lost', peer: fifth, text: 'no other member reaches it either: the peer sent no heartbeat' },
    {
      at: ago(172),
      kind: 'failover',
      peer: fifth,
      namespace: 'shop',
      workload: 'Deployment/api',
      pods: 1,
      seconds: 8.4,
    },
  ];
}
