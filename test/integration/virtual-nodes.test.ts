import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOffloadingMap } from '../../src/agent/offloading/offloading-map.ts';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { NODES, OFFLOADINGS, PODS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createLogger } from '../../src/runtime/logger.ts';
import { adminClient, applyManifests, freshNamespace } from './cluster.ts';

/** What a real API server makes of pods that are, or would be, bound to virtual nodes. */
const client = adminClient();
const logger = createLogger('silent');
const stop = new AbortController();
let running: Promise<unknown> = Promise.resolve();
const namespaces = { labelled: '', plain: '', byObject: '', localOnly: '', labelledLocalOnly: '', twin: '' };
type Kind = keyof typeof namespaces;

beforeAll(async () => {
  applyManifests();
  const label = { 'headcut.dev/offload': 'true' };
  namespaces.labelled = await freshNamespace(client, label);
  namespaces.plain = await freshNamespace(client);
  namespaces.byObject = await freshNamespace(client);
  namespaces.localOnly = await freshNamespace(client);
  namespaces.labelledLocalOnly = await freshNamespace(client, label);
  namespaces.twin = await freshNamespace(client, { ...label, 'headcut.dev/origin-cluster': 'x' });
  await offload(namespaces.byObject, {});
  for (const kind of ['localOnly', 'labelledLocalOnly'] as const)
    await offload(namespaces[kind], { strategy: 'LocalOnly' });
  await client.create(NODES, { metadata: { name: 'headcut-v', labels: { 'headcut.dev/peer': 'x' } }, spec: {} });
  // A machine of the cluster itself, of such a name by chance.
  await client.create(NODES, { metadata: { name: 'headcut-1' }, spec: {} });
  const deps = { client, clock: systemClock, logger };
  const nodes = new Reflector<Node>({ ...deps, type: NODES });
  const offloadings = new Reflector<KubeObject>({ ...deps, type: OFFLOADINGS });
  const map = createOffloadingMap({ ...deps, namespace: 'headcut-system', nodes, offloadings });
  running = Promise.all([nodes, offloadings, map].map((one) => one.run(stop.signal)));
  await until(async () => (await problemOf(() => make('plain', { nodeName: 'headcut-v' }))) !== undefined);
  await until(async () => excludesVirtualNodes(await make('plain', everything)));
}, 120_000);

afterAll(async () => {
  stop.abort();
  await running;
  await client.delete(NODES, { name: 'headcut-v' });
  await client.delete(NODES, { name: 'headcut-1' });
  await client.close();
});

const everything = { tolerations: [{ operator: 'Exists' }] };

async function offload(namespace: string, spec: object): Promise<void> {
  await client.create(OFFLOADINGS, { metadata: { name: 'offloading', namespace }, spec });
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await isSo()) return;
    await systemClock.sleep(100);
  }
  throw new Error('the policies do not take effect');
}

function podOf(kind: Kind, spec: object): Pod {
  const metadata = { generateName: 'p-', namespace: namespaces[kind] } as unknown as Pod['metadata'];
  return { metadata, spec: { serviceAccountName: 'default', containers: [{ name: 'c', image: 'x' }], ...spec } };
}

const make = (kind: Kind, spec: object): Promise<Pod> => client.create(PODS, podOf(kind, spec), { dryRun: true });

async function problemOf(act: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Binds a new pod in one of the two ways; what the API server has against it. */
async function bind(kind: Kind, node: string, way: 'subresource' | 'collection'): Promise<string | undefined> {
  const { metadata } = await client.create(PODS, podOf(kind, {}));
  const path = `/api/v1/namespaces/${metadata.namespace}/`;
  const body = {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name: metadata.name, namespace: metadata.namespace },
    target: { apiVersion: 'v1', kind: 'Node', name: node },
  };
  return problemOf(() =>
    client.request('POST', path + (way === 'subresource' ? `pods/${metadata.name}/binding` : 'bindings'), { body }),
  );
}

function excludesVirtualNodes({ spec }: Pod): boolean {
  return JSON.stringify(spec.affinity ?? {}).includes(
    JSON.stringify({ key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] }),
  );
}

describe('onto a virtual node', () => {
  test.each<[Kind, string | undefined]>([
    ['labelled', undefined],
    ['byObject', undefined],
    ['plain', 'headcut.dev/offload=true offloads it'],
    ['localOnly', 'LocalOnly'],
    ['labelledLocalOnly', 'LocalOnly'],
    ['twin', 'twin'],
  ])('a pod of a namespace that is %s is bound: %s', async (kind, problem) => {
    const found = await Promise.all([
      problemOf(() => make(kind, { nodeName: 'headcut-v' })),
      bind(kind, 'headcut-v', 'subresource'),
      bind(kind, 'headcut-v', 'collection'),
    ]);
    for (const one of found) {
      if (problem === undefined) expect(one).toBeUndefined();
      else expect(one).toContain(problem);
    }
  });

  test('a namespace whose Offloading was made a moment ago may send its pods', async () => {
    const namespace = await freshNamespace(client);
    namespaces.byObject = namespace;
    await offload(namespace, {});
    await until(async () => (await bind('byObject', 'headcut-v', 'subresource')) === undefined);
  });
});

test('onto any other node, whatever its name, every pod is bound', async () => {
  for (const node of ['a', 'headcut-1'])
    for (const kind of ['plain', 'localOnly', 'twin'] as const) {
      expect(await bind(kind, node, 'subresource')).toBeUndefined();
      expect(await problemOf(() => make(kind, { nodeName: node }))).toBeUndefined();
    }
});

describe('a pod that tolerates everything', () => {
  test.each<[Kind, boolean]>([
    ['labelled', false],
    ['byObject', false],
    ['plain', true],
    ['localOnly', true],
    ['labelledLocalOnly', true],
    ['twin', true],
  ])('of a namespace that is %s is kept at home: %s', async (kind, isKept) => {
    expect(excludesVirtualNodes(await make(kind, everything))).toBe(isKept);
  });

  test('is kept at home if it cannot travel', async () => {
    const volumes = [{ name: 'v', hostPath: { path: '/' } }];
    for (const kind of ['labelled', 'byObject', 'plain'] as const)
      expect(excludesVirtualNodes(await make(kind, { ...everything, volumes }))).toBe(true);
  });

  test.each([
    [{ key: 'headcut.dev/virtual-node', operator: 'Exists' }, true],
    [{ key: 'headcut.dev/virtual-node', operator: 'Equal', value: '', effect: 'NoSchedule' }, true],
    [{ key: 'headcut.dev/virtual-node', value: 'x' }, false],
    [{ operator: 'Exists', effect: 'NoSchedule' }, true],
    [{ operator: 'Exists', effect: 'NoExecute' }, false],
    [{ key: 'node-role.kubernetes.io/control-plane', operator: 'Exists' }, false],
  ])('by chance is kept at home: %j', async (toleration, isKept) => {
    expect(excludesVirtualNodes(await make('plain', { tolerations: [toleration] }))).toBe(isKept);
  });

  test('each alternative of its affinity excludes virtual nodes, and one that matches nothing goes on doing so', async () => {
    const terms = [
      { matchExpressions: [{ key: 'disk', operator: 'Exists' }] },
      { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] },
      {},
    ];
    const affinity = {
      nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms } },
    };
    const { spec } = await make('plain', { ...everything, affinity });
    const exclusion = { key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] };
    expect(spec.affinity).toEqual({
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: [...(terms[0]?.matchExpressions ?? []), exclusion] },
            { ...terms[1], matchExpressions: [exclusion] },
            {},
          ],
        },
      },
    });
  });
});

test('a user of the namespace cannot say in a pod that it has started, which only its node says', async () => {
  const pod = podOf('plain', {});
  const made = await client.create(PODS, { ...pod, status: { startTime: '2026-01-01T00:00:00Z' } } as Pod);
  expect(made.status?.startTime).toBeUndefined();
  const { namespace, name } = made.metadata;
  await client.patch(PODS, { namespace, name }, { status: { startTime: '2026-01-01T00:00:00Z' } });
  expect((await client.get<Pod>(PODS, { namespace, name })).status?.startTime).toBeUndefined();
});

test('a pod keeps the tolerations that it was given when somebody writes its own anew', async () => {
  const { metadata } = await client.create(
    PODS,
    podOf('labelled', { tolerations: [{ key: 'disk', operator: 'Exists' }] }),
  );
  const address = { namespace: metadata.namespace, name: metadata.name };
  const write = async (tolerations: object[]): Promise<(string | undefined)[]> => {
    const pod = await client.get<Pod>(PODS, address);
    const next = { ...pod, spec: { ...pod.spec, tolerations } } as Pod;
    return ((await client.replace(PODS, next)).spec.tolerations ?? []).map(({ key, tolerationSeconds }) =>
      tolerationSeconds === undefined ? key : `${key} for a while`,
    );
  };
  const own = [
    { key: 'disk', operator: 'Exists' },
    { key: 'other', operator: 'Exists', effect: 'NoSchedule' },
  ];
  const written = await write(own);
  for (const key of [
    'headcut.dev/virtual-node',
    'node.kubernetes.io/unreachable',
    'node.kubernetes.io/not-ready',
    'disk',
    'other',
  ])
    expect(written.filter((one) => one === key)).toHaveLength(1);
  // For a taint the first toleration counts.
  for (const taint of ['node.kubernetes.io/unreachable', 'node.kubernetes.io/not-ready'])
    expect(written.find((one) => one?.startsWith(taint) === true)).toBe(taint);
  expect(await write(own)).toEqual(written);
  await expect(write([{ key: 'other', operator: 'Exists', effect: 'NoSchedule' }])).rejects.toThrow('toleration');
});
