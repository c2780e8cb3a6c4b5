import { expect, test } from 'vitest';
import { HomeVolumes } from '../../../src/agent/volume/home-volumes.ts';
import type { KubeObject } from '../../../src/core/kube-objects.ts';
import { ORIGIN_UID_LABEL } from '../../../src/core/labels.ts';
import {
  FOR_CLAIM_ANNOTATION,
  type PersistentVolume,
  type PersistentVolumeClaim,
  RECLAIM_ANNOTATION,
  type StorageClass,
} from '../../../src/core/volume/volume-objects.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { PERSISTENT_VOLUMES } from '../../../src/kube/resources.ts';
import { FakeStore } from '../../fake-store.ts';

const LOCAL: StorageClass = {
  metadata: { name: 'local', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
  provisioner: 'x',
  volumeBindingMode: 'WaitForFirstConsumer',
};
const CLAIM: PersistentVolumeClaim = {
  metadata: { name: 'data', namespace: 'shop', uid: 'u1' },
  spec: { storageClassName: 'headcut' },
};

function home({ companion, volume }: { companion?: PersistentVolumeClaim; volume?: PersistentVolume }) {
  const done: string[] = [];
  const client = {
    get: async (type: unknown) => {
      const found = type === PERSISTENT_VOLUMES ? volume : companion;
      if (found === undefined) throw notFound();
      return found;
    },
    create: async (_type: unknown, { metadata }: KubeObject) => done.push(`create ${metadata.name}`),
    delete: async (_type: unknown, { name }: { name: string }) => done.push(`delete ${name}`),
    patch: async (_type: unknown, { name }: { name: string }) => done.push(`patch ${name}`),
  } as unknown as KubeClient;
  const volumes = new HomeVolumes({
    client,
    claims: new FakeStore<PersistentVolumeClaim>(),
    volumes: new FakeStore(volume === undefined ? [] : [volume]),
    classes: new FakeStore([LOCAL]),
    settings: () => undefined,
    namespace: 'headcut-system',
  });
  return { volumes, done };
}

const heldVolume = (metadata: object): PersistentVolume => ({
  metadata: { name: 'v', ...metadata },
  spec: { claimRef: { uid: 'former' } },
  status: { phase: 'Released' },
});

test.each<[string, object]>([
  [
    'is being deleted',
    {
      annotations: { [FOR_CLAIM_ANNOTATION]: 'u1', [RECLAIM_ANNOTATION]: 'Delete' },
      deletionTimestamp: '2026-01-01T00:00:00Z',
    },
  ],
  ['was given back to its provisioner', { annotations: { [FOR_CLAIM_ANNOTATION]: 'u1' } }],
])('a volume that %s is not handed to the claim: another one is made', async (_name, metadata) => {
  const { volumes, done } = home({ volume: heldVolume(metadata) });
  expect(await volumes.step(CLAIM, 'real')).toEqual({ type: 'working' });
  expect(done).toEqual(['create home-u1']);
});

test('a volume that is held for the claim is handed to it', async () => {
  const annotations = { [FOR_CLAIM_ANNOTATION]: 'u1', [RECLAIM_ANNOTATION]: 'Delete' };
  const { volumes, done } = home({ volume: heldVolume({ annotations }) });
  await volumes.step(CLAIM, 'real');
  expect(done).toEqual(['patch v']);
});

test('a claim whose provisioner gives the node back is to be placed anew', async () => {
  const companion = {
    metadata: { name: 'home-u1', namespace: 'headcut-system', labels: { [ORIGIN_UID_LABEL]: 'u1' } },
    spec: { storageClassName: 'local' },
    status: { phase: 'Pending' },
  };
  const { volumes, done } = home({ companion });
  expect(await volumes.step(CLAIM, 'real')).toMatchObject({ type: 'elsewhere' });
  expect(done).toEqual(['delete home-u1']);
});

function notFound(): Error {
  return new ApiError(404, {});
}
