import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import { DAEMON_SETS, FEDERATIONS, OFFLOADINGS, PODS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { adminClient, applyManifests, freshNamespace } from './cluster.ts';

const client = adminClient();
afterAll(() => client.close());

const podOf = (namespace: string, spec: object = {}, metadata: object = {}): Pod => ({
  metadata: {
    generateName: 'p-',
    namespace,
    labels: { app: 'web', 'apps.kubernetes.io/pod-index': '3' },
    ...metadata,
  } as unknown as Pod['metadata'],
  spec: { serviceAccountName: 'default', containers: [{ name: 'c', image: 'x' }], ...spec },
});
const make = (pod: Pod): Promise<Pod> => client.create(PODS, pod, { dryRun: true });
const tolerates = (pod: Pod): boolean =>
  pod.spec.tolerations?.some((one) => one.key === 'headcut.dev/virtual-node') === true;

let offloaded = '';
beforeAll(async () => {
  applyManifests();
  offloaded = await freshNamespace(client, { 'headcut.dev/offload': 'true' });
  // A new policy takes effect a moment later.
  for (let tries = 0; tries < 100 && !tolerates(await make(podOf(offloaded))); tries += 1) await systemClock.sleep(100);
}, 120_000);

test('manifests/ can be applied twice', () => {
  expect(applyManifests()).toContain('deployment.apps/headcut');
});

describe('a pod of a labelled namespace', () => {
  test('tolerates virtual nodes, and what it tolerates for ever stands before the defaults of 300 s', async () => {
    const { tolerations = [] } = (await make(podOf(offloaded))).spec;
    expect(tolerations.slice(0, 3)).toEqual([
      { key: 'headcut.dev/virtual-node', operator: 'Exists', effect: 'NoSchedule' },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
    ]);
  });

  test('spreads over nodes by its labels, without those of one replica only', async () => {
    expect((await make(podOf(offloaded))).spec.topologySpreadConstraints).toEqual([
      {
        maxSkew: 1,
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: { matchLabels: { app: 'web' } },
      },
    ]);
  });

  test('keeps a spread constraint of its own', async () => {
    const own = [
      {
        maxSkew: 3,
        topologyKey: 'zone',
        whenUnsatisfiable: 'DoNotSchedule',
        labelSelector: { matchLabels: { app: 'web' } },
      },
    ];
    expect((await make(podOf(offloaded, { topologySpreadConstraints: own }))).spec.topologySpreadConstraints).toEqual(
      own,
    );
  });

  test('without labels gets no constraint', async () => {
    const pod = await make(podOf(offloaded, {}, { labels: {} }));
    expect(tolerates(pod)).toBe(true);
    expect(pod.spec.topologySpreadConstraints).toBeUndefined();
  });

  test.each([
    ['configMap', { configMap: { name: 'x' } }],
    ['secret', { secret: { secretName: 'x' } }],
    ['emptyDir', { emptyDir: {} }],
    ['downwardAPI', { downwardAPI: { items: [] } }],
    ['projected token', { projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }],
  ])('may be offloaded with a volume of %s', async (_name, source) => {
    expect(tolerates(await make(podOf(offloaded, { volumes: [{ name: 'v', ...source }] })))).toBe(true);
  });

  test.each<[string, object]>([
    ['a hostPath', { volumes: [{ name: 'v', hostPath: { path: '/' } }] }],
    ['a claim', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] }],
    ['the host network', { hostNetwork: true }],
    ['the host PIDs', { hostPID: true }],
    ['privileges', { containers: [{ name: 'c', image: 'x', securityContext: { privileged: true } }] }],
    [
      'privileges of an init container',
      { initContainers: [{ name: 'i', image: 'x', securityContext: { privileged: true } }] },
    ],
    [
      'a capability',
      { containers: [{ name: 'c', image: 'x', securityContext: { capabilities: { add: ['NET_ADMIN'] } } }] },
    ],
    ['a host port', { containers: [{ name: 'c', image: 'x', ports: [{ containerPort: 1, hostPort: 1 }] }] }],
    ['a node chosen by hand', { nodeName: 'a' }],
  ])('stays at home with %s', async (_name, spec) => {
    const pod = await make(podOf(offloaded, spec));
    expect(tolerates(pod)).toBe(false);
    expect(pod.spec.topologySpreadConstraints).toBeUndefined();
  });

  test('stays at home when it belongs to a DaemonSet', async () => {
    const ownerReferences = [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'u', controller: true }];
    expect(tolerates(await make(podOf(offloaded, {}, { ownerReferences })))).toBe(false);
  });
});

test('a pod of any other namespace, and of a twin namespace, is left alone', async () => {
  const plain = await freshNamespace(client);
  const twin = await freshNamespace(client, { 'headcut.dev/offload': 'true', 'headcut.dev/origin-cluster': 'x' });
  expect(tolerates(await make(podOf(plain)))).toBe(false);
  expect(tolerates(await make(podOf(twin)))).toBe(false);
});

test('an Offloading object does what the label does', async () => {
  const namespace = await freshNamespace(client);
  await client.create(OFFLOADINGS, { metadata: { name: 'offloading', namespace }, spec: {} });
  for (let tries = 0; tries < 100 && !tolerates(await make(podOf(namespace))); tries += 1) await systemClock.sleep(100);
  expect(tolerates(await make(podOf(namespace)))).toBe(true);
});

describe('a DaemonSet', () => {
  const exclusion = { key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] };
  const terms = (affinity?: object) => ({ affinity });
  const other = { key: 'disk', operator: 'Exists' };
  const required = (...nodeSelectorTerms: object[]) => ({
    nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
  });

  async function affinityOf(spec: object, annotations: Record<string, string> = {}): Promise<unknown> {
    const labels = { app: 'd' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'x' }], ...spec } };
    const object: KubeObject = {
      metadata: { name: 'd', namespace: offloaded, annotations },
      spec: { selector: { matchLabels: labels }, template },
    };
    const made = await client.create(DAEMON_SETS, object, { dryRun: true });
    return (made.spec as typeof object.spec & { template: { spec: { affinity?: unknown } } }).template.spec.affinity;
  }

  test.each<[string, object, object]>([
    ['no affinity', {}, required({ matchExpressions: [exclusion] })],
    ['an empty affinity', terms({}), required({ matchExpressions: [exclusion] })],
    [
      'terms of its own',
      terms(
        required(
          { matchExpressions: [other] },
          { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }] },
        ),
      ),
      required(
        { matchExpressions: [other, exclusion] },
        { matchFields: [{ key: 'metadata.name', operator: 'In', values: ['a'] }], matchExpressions: [exclusion] },
      ),
    ],
    [
      'the exclusion already',
      terms(required({ matchExpressions: [exclusion] })),
      required({ matchExpressions: [exclusion] }),
    ],
  ])('with %s is kept off virtual nodes', async (_name, spec, expected) => {
    expect(await affinityOf(spec)).toEqual(expected);
  });

  test('that asks for virtual nodes is left alone', async () => {
    expect(await affinityOf({}, { 'headcut.dev/allow-virtual-nodes': 'true' })).toBeUndefined();
  });
});

describe('the kinds', () => {
  test('Federation and Offloading exist under one name only', async () => {
    const federation = client.create(FEDERATIONS, { metadata: { name: 'other' }, spec: {} });
    await expect(federation).rejects.toSatisfy((error) => error instanceof ApiError && error.status === 422);
    const offloading = client.create(OFFLOADINGS, { metadata: { name: 'other', namespace: offloaded }, spec: {} });
    await expect(offloading).rejects.toSatisfy((error) => error instanceof ApiError && error.status === 422);
  });
});
