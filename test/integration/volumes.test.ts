import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
import { twinNamespaceName } from '../../src/core/shadow-pod/twin-namespace.ts';
import {
  LEFT_PLACES_ANNOTATION,
  leftVolumeName,
  type PersistentVolume,
  type PersistentVolumeClaim,
  twinClaimName,
  VOLUME_FINALIZER,
  volumeName,
} from '../../src/core/volume/volume-objects.ts';
import { EVENTS, NAMESPACES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS } from '../../src/kube/resources.ts';
import { systemClock as clock } from '../../src/runtime/clock.ts';
import { claimOf, eventually, nodeOf, PEER, podWith, startVolumeCluster, whatIs } from './volume-cluster.ts';

/** Volumes that travel, with the scheduler and the controllers of volumes of Kubernetes itself. */

let cluster: Awaited<ReturnType<typeof startVolumeCluster>>;
let namespace = '';
let count = 0;
beforeAll(async () => {
  cluster = await startVolumeCluster();
}, 180_000);
afterAll(() => cluster?.stop());
beforeEach(async () => {
  count += 1;
  namespace = `app-${count}`;
  await cluster.client.create(NAMESPACES, {
    metadata: { name: namespace, labels: { 'headcut.dev/offload': 'true' } },
  });
});

const HOME = 'a'.repeat(52);
const twin = (): string => twinNamespaceName({ cluster: HOME, namespace });
const readClaim = (name: string): Promise<PersistentVolumeClaim> =>
  cluster.client.get(PERSISTENT_VOLUME_CLAIMS, { namespace, name });
const readVolume = (name: string): Promise<PersistentVolume> => cluster.client.get(PERSISTENT_VOLUMES, { name });
const twinClaim = (uid: string) =>
  whatIs(
    cluster.client.get<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, {
      namespace: twin(),
      name: twinClaimName(uid),
    }),
  );
/** No kubelet ends a pod here. */
const remove = (type: typeof PODS, name: string) =>
  cluster.client.delete(type, { namespace, name }, type === PODS ? { gracePeriodSeconds: 0 } : {});

/** A claim that a pod on the node uses, bound. */
async function bound(node: 'real' | 'headcut-b', more: object = {}) {
  const { client } = cluster;
  const { metadata } = await client.create(PERSISTENT_VOLUME_CLAIMS, claimOf(namespace, 'data', more));
  await client.create(PODS, podWith(namespace, 'data', node));
  expect(await nodeOf(client, namespace, 'uses-data')).toBe(node);
  const claim = await readClaim('data');
  return { uid: metadata.uid ?? '', claim, volume: await readVolume(claim.spec.volumeName ?? '') };
}

async function warnings(): Promise<string[]> {
  const { items } = await cluster.client.list<KubeObject & { message?: string }>(EVENTS, { namespace });
  return items.map(({ message = '' }) => message);
}

test('a claim is served where the scheduler puts its first pod: on the peer', async () => {
  const { uid, claim, volume } = await bound('headcut-b');
  expect(claim.status).toMatchObject({ phase: 'Bound', capacity: { storage: '1Gi' } });
  expect(claim.metadata.finalizers).not.toContain(VOLUME_FINALIZER);
  expect(volume.spec).toMatchObject({ storageClassName: 'headcut', persistentVolumeReclaimPolicy: 'Delete' });
  expect(await twinClaim(uid)).toMatchObject({ status: { phase: 'Bound' }, spec: { storageClassName: 'local' } });
  await remove(PODS, 'uses-data');
  // The next pod follows the data, although it may go anywhere.
  await cluster.client.create(PODS, { ...podWith(namespace, 'data'), metadata: { name: 'second', namespace } });
  expect(await nodeOf(cluster.client, namespace, 'second')).toBe('headcut-b');
});

test('a claim that is deleted takes its data on the peer with it, after the pods that use it', async () => {
  const { uid } = await bound('headcut-b');
  const made = (await twinClaim(uid))?.metadata.uid ?? '';
  await remove(PERSISTENT_VOLUME_CLAIMS, 'data');
  await clock.sleep(1_500);
  expect(await twinClaim(uid)).toBeDefined();
  await remove(PODS, 'uses-data');
  await eventually(async () => {
    expect(await whatIs(readVolume(volumeName(uid)))).toBeUndefined();
    expect(await twinClaim(uid)).toBeUndefined();
    expect(cluster.provisioner.deleted).toContain(made);
  });
});

test('a claim at home gets a volume of the cluster itself, which its provisioner deletes with the claim', async () => {
  const { claim, volume } = await bound('real');
  expect(claim.status?.phase).toBe('Bound');
  expect(volume.spec).toMatchObject({ hostPath: {}, storageClassName: 'local' });
  await eventually(async () => {
    expect((await readVolume(volume.metadata.name)).spec.persistentVolumeReclaimPolicy).toBe('Delete');
    expect((await readClaim('data')).metadata.finalizers).not.toContain(VOLUME_FINALIZER);
  });
  const companions = await cluster.client.list(PERSISTENT_VOLUME_CLAIMS, { namespace: 'headcut-system' });
  expect(companions.items).toEqual([]);
  const made = volume.metadata.name.replace('pvc-', '');
  expect(cluster.provisioner.deleted).not.toContain(made);
  await remove(PODS, 'uses-data');
  await remove(PERSISTENT_VOLUME_CLAIMS, 'data');
  await eventually(async () => expect(cluster.provisioner.deleted).toContain(made));
});

test('a claim that fits nowhere waits with the reason', async () => {
  const { client, settings } = cluster;
  settings.change({ homeClass: 'none', perPeerGiB: 2 });
  try {
    await clock.sleep(1_000);
    await client.create(
      PERSISTENT_VOLUME_CLAIMS,
      claimOf(namespace, 'data', { resources: { requests: { storage: '4Gi' } } }),
    );
    await client.create(PODS, podWith(namespace, 'data'));
    await eventually(async () => {
      const { status } = await client.get<Pod>(PODS, { namespace, name: 'uses-data' });
      expect(status?.conditions?.[0]?.message ?? '').toContain('enough free storage');
    });
  } finally {
    settings.change({});
  }
});

test('a peer that cannot be reached keeps the data of a deleted claim until it hears of it', async () => {
  const { uid } = await bound('headcut-b');
  cluster.peer.state = 'Unreachable';
  await remove(PODS, 'uses-data');
  await remove(PERSISTENT_VOLUME_CLAIMS, 'data');
  await eventually(async () => expect((await readVolume(volumeName(uid))).status?.phase).toBe('Released'));
  await clock.sleep(2_000);
  expect(await twinClaim(uid)).toBeDefined();
  cluster.peer.state = 'Connected';
  cluster.peer.tell('state');
  await eventually(async () => expect(await twinClaim(uid)).toBeUndefined());
});

test('a member that is none any more keeps what it has, and hangs nobody up', async () => {
  const { uid } = await bound('headcut-b');
  cluster.peer.isMember = false;
  cluster.peer.tell('removed');
  await remove(PODS, 'uses-data');
  await remove(PERSISTENT_VOLUME_CLAIMS, 'data');
  await eventually(async () => expect(await whatIs(readVolume(volumeName(uid)))).toBeUndefined());
  cluster.peer.isMember = true;
  cluster.peer.tell('offer');
  expect(await twinClaim(uid)).toMatchObject({ status: { phase: 'Bound' } });
});

test('a claim that is deleted while its volume is on its way leaves nothing behind', async () => {
  const { client, provisioner } = cluster;
  provisioner.isAway = true;
  const { metadata } = await client.create(PERSISTENT_VOLUME_CLAIMS, claimOf(namespace, 'data'));
  await client.create(PODS, podWith(namespace, 'data', 'headcut-b'));
  await eventually(async () => expect(await twinClaim(metadata.uid ?? '')).toBeDefined());
  await remove(PODS, 'uses-data');
  await remove(PERSISTENT_VOLUME_CLAIMS, 'data');
  await eventually(async () => {
    expect(await whatIs(readClaim('data'))).toBeUndefined();
    expect(await twinClaim(metadata.uid ?? '')).toBeUndefined();
    expect(await whatIs(readVolume(volumeName(metadata.uid ?? '')))).toBeUndefined();
    // Kubernetes looks again at a volume that was not bound every 15 s.
  }, 45_000);
  provisioner.isAway = false;
});

test('a claim whose peer is lost on the way is served elsewhere, and nothing stays on the peer', async () => {
  const { client, provisioner, peer, settings } = cluster;
  provisioner.isAway = true;
  const { metadata } = await client.create(PERSISTENT_VOLUME_CLAIMS, claimOf(namespace, 'data'));
  await client.create(PODS, podWith(namespace, 'data', 'headcut-b'));
  await eventually(async () => expect(await twinClaim(metadata.uid ?? '')).toBeDefined());
  settings.failoverMs = 500;
  peer.state = 'Unreachable';
  peer.tell('state');
  await eventually(async () =>
    expect((await readClaim('data')).metadata.annotations?.[LEFT_PLACES_ANNOTATION]).toBe(PEER),
  );
  await remove(PODS, 'uses-data');
  provisioner.isAway = false;
  await client.create(PODS, { ...podWith(namespace, 'data', 'real'), metadata: { name: 'again', namespace } });
  expect(await nodeOf(client, namespace, 'again')).toBe('real');
  await remove(PODS, 'again');
  await remove(PERSISTENT_VOLUME_CLAIMS, 'data');
  await eventually(async () => expect(await whatIs(readClaim('data'))).toBeUndefined());
  expect(await twinClaim(metadata.uid ?? '')).toBeDefined();
  settings.failoverMs = undefined;
  peer.state = 'Connected';
  peer.tell('state');
  await eventually(async () => {
    expect(await twinClaim(metadata.uid ?? '')).toBeUndefined();
    expect(await whatIs(readVolume(leftVolumeName(metadata.uid ?? '', PEER)))).toBeUndefined();
  }, 45_000);
});

test('a claim is made larger, on the peer and at home', async () => {
  const { uid } = await bound('headcut-b');
  const patch = { spec: { resources: { requests: { storage: '3Gi' } } } };
  await cluster.client.patch(PERSISTENT_VOLUME_CLAIMS, { namespace, name: 'data' }, patch);
  await eventually(async () => {
    expect((await readClaim('data')).status?.capacity?.storage).toBe('3Gi');
    expect((await readVolume(volumeName(uid))).spec.capacity?.storage).toBe('3Gi');
  });
});

test('a claim with a source is refused in words', async () => {
  const dataSource = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'x' };
  await cluster.client.create(PERSISTENT_VOLUME_CLAIMS, claimOf(namespace, 'data', { dataSource }));
  await eventually(async () => expect((await warnings()).join()).toContain('not supported'));
});
