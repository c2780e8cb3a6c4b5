import { expect, test } from 'vitest';
import { GuestVolumes, type GuestVolumesDeps } from '../../../src/agent/guest-volume/guest-volumes.ts';
import type { VolumeRequest } from '../../../src/core/exchange/volume.ts';
import type { KubeObject } from '../../../src/core/kube-objects.ts';
import { twinNamespaceName } from '../../../src/core/shadow-pod/twin-namespace.ts';
import type { StorageSettings } from '../../../src/core/volume/guest-volume.ts';
import {
  type PersistentVolumeClaim,
  requestedBytes,
  type StorageClass,
} from '../../../src/core/volume/volume-objects.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { FakeStore } from '../../fake-store.ts';
import { jumpingClock } from '../../jumping-clock.ts';

const GIB = 1024 ** 3;
const MEMBER = 'm'.repeat(52);
const OTHER = 'o'.repeat(52);
const LOCAL: StorageClass = {
  metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'x',
};

const request = (gib: number, more: Partial<VolumeRequest> = {}): VolumeRequest => ({
  namespace: 'shop',
  name: 'data',
  bytes: gib * GIB,
  accessModes: ['ReadWriteOnce'],
  volumeMode: 'Filesystem',
  ...more,
});

/** A provider whose cache shows nothing of what it writes until a test says so. */
function provider(
  settings: StorageSettings,
  {
    isWritable = true,
    ensure = async () => undefined,
  }: { isWritable?: boolean; ensure?: () => Promise<undefined | { reason: string; message: string }> } = {},
) {
  const claims = new FakeStore<PersistentVolumeClaim>();
  const written: PersistentVolumeClaim[] = [];
  const clock = jumpingClock();
  const client = {
    create: async (_type: unknown, claim: PersistentVolumeClaim) => {
      await Promise.resolve();
      if (!isWritable) throw new Error('the API server is away');
      written.push(claim);
      return claim;
    },
    patch: async (_type: unknown, _of: unknown, patch: KubeObject) => patch,
    list: async () => ({ items: [] }),
  } as unknown as KubeClient;
  const deps: GuestVolumesDeps = {
    ...{ client, claims, clock },
    classes: new FakeStore([LOCAL]),
    nodes: new FakeStore(),
    settings: () => settings,
    whyClosed: () => undefined,
    twins: { nameOf: twinNamespaceName, ensure },
  };
  return { guests: new GuestVolumes(deps), claims, written, clock };
}

const many = Array.from({ length: 50 }, (_, index) => index);
const states = (answers: { state: string }[]) => answers.filter(({ state }) => state !== 'Refused').length;

test('volumes that are asked for at once get no more together than there is', async () => {
  const { guests, written } = provider({ perPeerGiB: 20, totalGiB: 30 });
  const asked = [MEMBER, OTHER].flatMap((peer) => many.map((index) => guests.put(peer, `u${index}`, request(10))));
  expect(states(await Promise.all(asked))).toBe(3);
  expect(written).toHaveLength(3);
  // The cache shows none of them yet.
  expect(await guests.put(MEMBER, 'later', request(10))).toMatchObject({ state: 'Refused', reason: 'OutOfStorage' });
});

test('no more volumes than a member may have are made at once', async () => {
  const { guests } = provider({ volumesPerPeer: 2 });
  expect(states(await Promise.all(many.map((index) => guests.put(MEMBER, `u${index}`, request(1)))))).toBe(2);
});

test('volumes that are made larger at once get no more together than there is', async () => {
  const { guests, claims, written } = provider({ perPeerGiB: 10 });
  for (const uid of ['a', 'b', 'c']) await guests.put(MEMBER, uid, request(1));
  for (const claim of written) claims.set(claim);
  const answers = await Promise.all(['a', 'b', 'c'].map((uid) => guests.put(MEMBER, uid, request(5))));
  expect(states(answers)).toBe(1);
});

test('what was not written is free again', async () => {
  const { guests } = provider({ perPeerGiB: 10 }, { isWritable: false });
  await expect(guests.put(MEMBER, 'a', request(10))).rejects.toThrow('away');
  expect(guests.offerFor(MEMBER)).toEqual([{ name: 'local', bytes: 10 * GIB }]);
});

test('a volume that was written and never seen is not counted for ever', async () => {
  const { guests, clock } = provider({ perPeerGiB: 10 });
  await guests.put(MEMBER, 'a', request(10));
  expect(guests.offerFor(MEMBER)).toEqual([{ name: 'local', bytes: 0 }]);
  await clock.sleep(61_000);
  expect(guests.offerFor(MEMBER)).toEqual([{ name: 'local', bytes: 10 * GIB }]);
});

test('a volume whose namespace would be one too many is refused', async () => {
  const refusal = { reason: 'TooManyNamespaces', message: 'enough' };
  const { guests, written } = provider({}, { ensure: async () => refusal });
  expect(await guests.put(MEMBER, 'a', request(1))).toEqual({ state: 'Refused', kind: 'room', ...refusal });
  expect(written.map(requestedBytes)).toEqual([]);
});

test('a volume that is asked for twice at once is made once', async () => {
  const { guests, written } = provider({ perPeerGiB: 10 });
  expect(states(await Promise.all([1, 2, 3].map(() => guests.put(MEMBER, 'a', request(10)))))).toBe(3);
  expect(written).toHaveLength(1);
});
