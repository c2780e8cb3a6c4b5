import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createInventory } from '../../src/agent/inventory/inventory.ts';
import type { ClusterProfile, ClusterProperty } from '../../src/core/inventory/cluster-inventory.ts';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import type { PeerObject } from '../../src/core/membership/peer-object.ts';
import { isNotFound } from '../../src/kube/api-error.ts';
import { CLUSTER_PROFILES, CLUSTER_PROPERTIES, type ResourceType } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { FakeStore } from '../fake-store.ts';
import { adminClient, freshNamespace } from './cluster.ts';

const CRDS: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
const client = adminClient();
const stops: (() => Promise<void>)[] = [];

/** A kind with any fields: what is tested is what we write, not how it is checked. */
function crd({ group, version, plural, kind, namespaced }: ResourceType): KubeObject {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    metadata: {
      name: `${plural}.${group}`,
      // API groups under k8s.io and x-k8s.io are for those who say so.
      annotations: { 'api-approved.kubernetes.io': 'unapproved, for a test' },
    },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      scope: namespaced ? 'Namespaced' : 'Cluster',
      versions: [{ name: version, served: true, storage: true, schema, subresources: { status: {} } }],
    },
  } as KubeObject;
}

async function find<T extends KubeObject>(type: ResourceType, namespace: string | undefined, name: string) {
  try {
    return await client.get<T>(type, { namespace, name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function eventually<T>(probe: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 200; tries += 1) {
    const value = await probe();
    if (value !== undefined) return value;
    await systemClock.sleep(50);
  }
  throw new Error('it did not come true within 10 s');
}

const peer = (name: string, connected: 'True' | 'False'): PeerObject =>
  ({
    metadata: { name, uid: name },
    spec: { id: name.repeat(52), name: `${name}-cluster` },
    status: {
      conditions: [
        {
          type: 'Connected',
          status: connected,
          reason: 'Heartbeat',
          message: 'heartbeats arrive',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
  }) as unknown as PeerObject;

function start(namespace: string, peers: FakeStore<PeerObject>) {
  const controller = createInventory({
    client,
    namespace,
    ownId: 'a'.repeat(52),
    peers,
    versionOf: () => 'v1.34.2',
    clock: systemClock,
    logger: silentLogger,
  });
  const stopped = new AbortController();
  const running = controller.run(stopped.signal);
  stops.push(async () => {
    stopped.abort();
    await running;
  });
  return controller;
}

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});
afterAll(() => client.close());

test('nothing is written, and nothing fails, where the kinds are not installed', async () => {
  const controller = start(await freshNamespace(client), new FakeStore([peer('b', 'True')]));
  await systemClock.sleep(1_000);
  expect(controller.stats()).toMatchObject({ errors: 0 });
});

describe('where the kinds are installed', () => {
  beforeAll(async () => {
    for (const type of [CLUSTER_PROPERTIES, CLUSTER_PROFILES]) await client.create(CRDS, crd(type));
    for (const type of [CLUSTER_PROPERTIES, CLUSTER_PROFILES])
      await eventually(() =>
        client.list(type).then(
          () => true,
          () => undefined,
        ),
      );
  });

  test('the cluster says its ID and its set, and each peer has a profile as long as it is one', async () => {
    const namespace = await freshNamespace(client);
    const peers = new FakeStore<PeerObject>([]);
    start(namespace, peers);
    const id = await eventually(() =>
      find<ClusterProperty>(CLUSTER_PROPERTIES, undefined, 'cluster.clusterset.k8s.io'),
    );
    expect(id.spec.value).toBe('a'.repeat(52));
    expect(await find(CLUSTER_PROPERTIES, undefined, 'clusterset.k8s.io')).toBeUndefined();

    peers.set(peer('b', 'True'));
    await eventually(() => find(CLUSTER_PROPERTIES, undefined, 'clusterset.k8s.io'));
    const profile = async () => {
      const found = await find<ClusterProfile>(CLUSTER_PROFILES, namespace, 'b');
      return found?.status === undefined ? undefined : found;
    };
    expect(await eventually(profile)).toMatchObject({
      metadata: { labels: { 'x-k8s.io/cluster-manager': 'headcut' } },
      spec: { clusterManager: { name: 'headcut' }, displayName: 'b-cluster' },
      status: {
        version: { kubernetes: 'v1.34.2' },
        properties: [{ name: 'cluster.clusterset.k8s.io', value: 'b'.repeat(52) }],
        conditions: [{ type: 'ControlPlaneHealthy', status: 'True', reason: 'Heartbeat' }],
      },
    });
    peers.set(peer('b', 'False'));
    await eventually(async () => ((await profile())?.status?.conditions?.[0]?.status === 'Unknown' ? true : undefined));

    peers.delete('b');
    await eventually(async () => ((await find(CLUSTER_PROFILES, namespace, 'b')) === undefined ? true : undefined));
    await eventually(async () =>
      (await find(CLUSTER_PROPERTIES, undefined, 'clusterset.k8s.io')) === undefined ? true : undefined,
    );
  });

  test('what somebody else said stays as it is', async () => {
    const name = 'clusterset.k8s.io';
    await client.create(CLUSTER_PROPERTIES, { metadata: { name }, spec: { value: 'mine' } } as ClusterProperty);
    start(await freshNamespace(client), new FakeStore([peer('b', 'True')]));
    await systemClock.sleep(1_000);
    expect((await client.get<ClusterProperty>(CLUSTER_PROPERTIES, { name })).spec.value).toBe('mine');
  });
});
