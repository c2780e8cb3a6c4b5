import { describe, expect, test } from 'vitest';
import type { VolumeRequest } from '../../../src/core/exchange/volume.ts';
import { ORIGIN_CLUSTER_LABEL } from '../../../src/core/labels.ts';
import {
  homeClassOf,
  judgeVolume,
  offeredClasses,
  refusalOfMore,
  type StorageView,
  storageOfferFor,
} from '../../../src/core/volume/guest-volume.ts';
import { planKept } from '../../../src/core/volume/kept-volume.ts';
import { storageCapacities } from '../../../src/core/volume/peer-volume.ts';
import {
  KEEP_ANNOTATION,
  LEFT_AT_ANNOTATION,
  type PersistentVolumeClaim,
  type StorageClass,
  storageQuantity,
  VOLUME_DRIVER,
} from '../../../src/core/volume/volume-objects.ts';

const GIB = 1024 ** 3;
const DEFAULT = { 'storageclass.kubernetes.io/is-default-class': 'true' };
const classOf = (name: string, annotations: Record<string, string> = {}, provisioner = 'x'): StorageClass => ({
  metadata: { name, annotations },
  provisioner,
});
const CLASSES = [classOf('slow'), classOf('local', DEFAULT), classOf('headcut', DEFAULT, VOLUME_DRIVER)];

const owned = (peer: string, storage: string, annotations: Record<string, string> = {}): PersistentVolumeClaim => ({
  metadata: { name: 'volume-x', namespace: 't', labels: { [ORIGIN_CLUSTER_LABEL]: peer }, annotations },
  spec: { resources: { requests: { storage } } },
});
const view = (more: Partial<StorageView> = {}): StorageView => ({
  claims: [],
  classes: CLASSES,
  settings: {},
  ...more,
});
const request = (bytes: number, more: Partial<VolumeRequest> = {}): VolumeRequest => ({
  ...{ namespace: 'shop', name: 'data', bytes, accessModes: ['ReadWriteOnce'], volumeMode: 'Filesystem' },
  ...more,
});

describe('what a provider offers', () => {
  test('is its default class and no other, and never one of ours', () => {
    expect(offeredClasses(CLASSES).map(({ metadata }) => metadata.name)).toEqual(['local']);
    expect(offeredClasses(CLASSES, { classes: ['headcut', 'slow'] }).map(({ metadata }) => metadata.name)).toEqual([
      'slow',
    ]);
    expect(homeClassOf(CLASSES, { homeClass: 'headcut' })).toBeUndefined();
    expect(homeClassOf(CLASSES)?.metadata.name).toBe('local');
  });

  test('is 10 GiB for each peer, of 50 in all', () => {
    expect(storageOfferFor('p', view())).toEqual([{ name: 'local', bytes: 10 * GIB }]);
    expect(storageOfferFor('p', view({ claims: [owned('p', '4Gi'), owned('q', '8Gi')] }))[0]?.bytes).toBe(6 * GIB);
    const full = ['q', 'r', 's', 't', 'u'].map((peer) => owned(peer, '9Gi'));
    expect(storageOfferFor('p', view({ claims: full }))[0]?.bytes).toBe(5 * GIB);
  });

  test('is nothing beyond the number of volumes, or where the owner says so', () => {
    const claims = [owned('p', '1Mi'), owned('p', '1Mi')];
    expect(storageOfferFor('p', view({ claims, settings: { volumesPerPeer: 2 } }))[0]?.bytes).toBe(0);
    expect(storageOfferFor('p', view({ settings: { perPeerGiB: 0 } }))[0]?.bytes).toBe(0);
    expect(storageOfferFor('p', view({ claims: [owned('p', '20Gi')] }))[0]?.bytes).toBe(0);
  });
});

describe('a volume that a peer asks for', () => {
  test('is of the class that it names, if that is offered', () => {
    expect(judgeVolume('p', request(GIB), view())).toMatchObject({ class: { metadata: { name: 'local' } } });
    expect(judgeVolume('p', request(GIB, { class: 'slow' }), view())).toMatchObject({
      kind: 'policy',
      reason: 'ClassNotOffered',
    });
    expect(judgeVolume('p', request(GIB), view({ classes: [] }))).toMatchObject({ kind: 'policy' });
  });

  test('is refused where it does not fit, with what is left and the setting', () => {
    const refusal = judgeVolume('p', request(11 * GIB), view());
    expect(refusal).toMatchObject({ kind: 'room', reason: 'OutOfStorage' });
    expect(JSON.stringify(refusal)).toContain('10 GiB are left (spec.storage');
    expect(refusalOfMore('p', 10 * GIB, view())).toBeUndefined();
  });
});

describe('data whose home is no member any more', () => {
  const now = Date.parse('2026-06-01T00:00:00Z');
  const gone = (annotations: Record<string, string>) =>
    planKept(owned('p', '1Gi', annotations), { isGone: true, keepMs: 1_000, now });

  test('is noted with the time, kept for a while, and deleted then', () => {
    expect(gone({})).toEqual({ type: 'note', leftAt: '2026-06-01T00:00:00Z' });
    expect(gone({ [LEFT_AT_ANNOTATION]: '2026-06-01T00:00:00Z' })).toEqual({ type: 'wait', ms: 1_000 });
    expect(gone({ [LEFT_AT_ANNOTATION]: '2026-05-31T23:59:59Z' })).toEqual({ type: 'delete' });
  });

  test('is kept for ever where that is asked for, and begins anew where the time is no time', () => {
    expect(gone({ [LEFT_AT_ANNOTATION]: '2020-01-01T00:00:00Z', [KEEP_ANNOTATION]: 'true' }).type).toBe('wait');
    expect(gone({ [LEFT_AT_ANNOTATION]: 'yesterday' }).type).toBe('note');
    expect(gone({ [LEFT_AT_ANNOTATION]: '2030-01-01T00:00:00Z' }).type).toBe('note');
  });

  test('is its own again when it comes back', () => {
    const back = planKept(owned('p', '1Gi', { [LEFT_AT_ANNOTATION]: 'x' }), { isGone: false, keepMs: 1, now });
    expect(back).toEqual({ type: 'forget' });
  });
});

test('the scheduler is told of each place, and of home only where a class serves it', () => {
  const peers = [
    { id: 'p', storage: [{ name: 'local', bytes: GIB }] },
    { id: 'q', storage: [] },
  ];
  const told = storageCapacities({ classes: CLASSES, peers, hasHomeClass: true });
  expect(told.map(({ metadata, capacity }) => [metadata.name, capacity])).toEqual([
    ['headcut.home', '9223372036854775807'],
    ['headcut.p', '1Gi'],
  ]);
  expect(storageCapacities({ classes: CLASSES, peers, hasHomeClass: false })).toHaveLength(1);
});

test('quantities are written as people write them', () => {
  expect([GIB, 1536 * 1024 ** 2, 1000, 0].map(storageQuantity)).toEqual(['1Gi', '1536Mi', '1000', '0']);
});
