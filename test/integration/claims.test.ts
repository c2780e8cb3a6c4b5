import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
import { OFFLOADINGS, PERSISTENT_VOLUME_CLAIMS, PODS, type ResourceType } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { adminClient, applyManifests, freshNamespace } from './cluster.ts';

/** Which pods with claims may leave: decided by the policies in manifests/31-claims.yaml, by a real API server. */

const STATEFUL_SETS: ResourceType = {
  group: 'apps',
  version: 'v1',
  plural: 'statefulsets',
  kind: 'StatefulSet',
  namespaced: true,
};

const client = adminClient();
afterAll(() => client.close());

let offloaded = '';
let plain = '';
beforeAll(async () => {
  applyManifests();
  offloaded = await freshNamespace(client, { 'headcut.dev/offload': 'true' });
  plain = await freshNamespace(client);
  await claim(offloaded, 'ready', 'headcut');
  for (let tries = 0; tries < 100 && !leaves(await make(podOf(offloaded, ['ready']))); tries += 1)
    await systemClock.sleep(100);
}, 120_000);

const claimSpec = (storageClassName?: string): object => ({
  ...(storageClassName === undefined ? {} : { storageClassName }),
  accessModes: ['ReadWriteOnce'],
  resources: { requests: { storage: '1Gi' } },
});

const claim = (namespace: string, name: string, storageClass: string): Promise<KubeObject> =>
  client.create(PERSISTENT_VOLUME_CLAIMS, { metadata: { name, namespace }, spec: claimSpec(storageClass) });

function podOf(namespace: string, claims: string[], more: { metadata?: object; spec?: object } = {}): Pod {
  const volumes = claims.map((claimName, index) => ({ name: `v${index}`, persistentVolumeClaim: { claimName } }));
  return {
    metadata: { name: 'db-0', namespace, labels: { app: 'db' }, ...more.metadata },
    spec: { serviceAccountName: 'default', containers: [{ name: 'c', image: 'x' }], volumes, ...more.spec },
  };
}

const make = (pod: Pod): Promise<Pod> => client.create(PODS, pod, { dryRun: true });

/** It tolerates virtual nodes, and nothing keeps it off them. */
const leaves = ({ spec }: Pod): boolean =>
  spec.tolerations?.some(({ key }) => key === 'headcut.dev/virtual-node') === true && spec.affinity === undefined;

/** The claims that policies know. */
async function known(namespace: string, ...names: string[]): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (leaves(await make(podOf(namespace, names)))) return;
    await systemClock.sleep(50);
  }
}

describe('a pod of an offloaded namespace with claims', () => {
  test('leaves when its claim travels', async () => {
    const pod = await make(podOf(offloaded, ['ready']));
    expect(leaves(pod)).toBe(true);
    expect(pod.spec.topologySpreadConstraints).toHaveLength(1);
  });

  test('leaves when all of its claims travel, and stays home when one does not', async () => {
    await claim(offloaded, 'second', 'headcut-fast');
    await claim(offloaded, 'local', 'local-path');
    await known(offloaded, 'ready', 'second');
    expect(leaves(await make(podOf(offloaded, ['ready', 'second'])))).toBe(true);
    expect(leaves(await make(podOf(offloaded, ['ready', 'local'])))).toBe(false);
    expect(leaves(await make(podOf(offloaded, ['local'])))).toBe(false);
  });

  test('stays home when its claim is not there, or when it asks for what cannot travel', async () => {
    expect(leaves(await make(podOf(offloaded, ['nowhere'])))).toBe(false);
    expect(leaves(await make(podOf(offloaded, ['ready'], { spec: { hostNetwork: true } })))).toBe(false);
  });

  test('may use it as a device', async () => {
    const containers = [{ name: 'c', image: 'x', volumeDevices: [{ name: 'v0', devicePath: '/dev/data' }] }];
    expect(leaves(await make(podOf(offloaded, ['ready'], { spec: { containers } })))).toBe(true);
  });

  test('leaves by the class of a template of its own', async () => {
    const withTemplate = (storageClass?: string) =>
      podOf(offloaded, [], {
        spec: { volumes: [{ name: 'e', ephemeral: { volumeClaimTemplate: { spec: claimSpec(storageClass) } } }] },
      });
    expect(leaves(await make(withTemplate('headcut')))).toBe(true);
    expect(leaves(await make(withTemplate('local-path')))).toBe(false);
    expect(leaves(await make(withTemplate()))).toBe(false);
  });

  test('stays home in a namespace that nobody offloaded', async () => {
    await claim(plain, 'ready', 'headcut');
    expect(leaves(await make(podOf(plain, ['ready'])))).toBe(false);
  });

  test('leaves a namespace with an Offloading, and stays in one that says LocalOnly', async () => {
    const [away, home] = await Promise.all([freshNamespace(client), freshNamespace(client)]);
    for (const [namespace, strategy] of [
      [away, 'Spread'],
      [home, 'LocalOnly'],
    ] as const) {
      await claim(namespace, 'data', 'headcut');
      const metadata = { name: 'offloading', namespace };
      await client.create(OFFLOADINGS, { metadata, spec: { strategy } } as unknown as KubeObject);
    }
    await known(away, 'data');
    expect(leaves(await make(podOf(away, ['data'])))).toBe(true);
    expect(leaves(await make(podOf(home, ['data'])))).toBe(false);
  });
});

describe('the first pod of a StatefulSet, made right after its claim', () => {
  async function firstPod(storageClass: string): Promise<Pod> {
    const namespace = await freshNamespace(client, { 'headcut.dev/offload': 'true' });
    const labels = { app: 'db' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'x' }] } };
    const set: KubeObject = await client.create<KubeObject>(STATEFUL_SETS, {
      metadata: { name: 'db', namespace },
      spec: {
        serviceName: 'db',
        selector: { matchLabels: labels },
        template,
        volumeClaimTemplates: [{ metadata: { name: 'v0' }, spec: claimSpec(storageClass) }],
      },
    });
    // As long as its controller takes, at least, to hear of it and to make the claim.
    await systemClock.sleep(100);
    await claim(namespace, 'v0-db-0', storageClass);
    const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: set.metadata.uid, controller: true };
    return make(podOf(namespace, ['v0-db-0'], { metadata: { ownerReferences: [owner] } }));
  }

  test('leaves by the template of its claim', async () => {
    for (let round = 0; round < 5; round += 1) expect(leaves(await firstPod('headcut'))).toBe(true);
  });

  test('stays home when that is of another class', async () => {
    expect(leaves(await firstPod('local-path'))).toBe(false);
  });
});
