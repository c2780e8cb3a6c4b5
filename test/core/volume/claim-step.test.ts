import { describe, expect, test } from 'vitest';
import type { ObjectMeta } from '../../../src/core/kube-objects.ts';
import { nextClaimStep, nextVolumeStep } from '../../../src/core/volume/claim-step.ts';
import { isStillFor, nextHomeStep, withdrawHomeStep } from '../../../src/core/volume/home-step.ts';
import {
  FOR_CLAIM_ANNOTATION,
  HOME_PLACE,
  LEFT_PLACES_ANNOTATION,
  type PersistentVolume,
  type PersistentVolumeClaim,
  PLACE_ANNOTATION,
  RECLAIM_ANNOTATION,
  SELECTED_NODE_ANNOTATION,
  VOLUME_DRIVER,
  VOLUME_FINALIZER,
} from '../../../src/core/volume/volume-objects.ts';

const PEER = 'p'.repeat(52);
const OURS = { metadata: { name: 'headcut' }, provisioner: VOLUME_DRIVER, reclaimPolicy: 'Delete' };
const OTHER = { metadata: { name: 'local' }, provisioner: 'x' };
const placeOf = (node: string): string | undefined => ({ 'headcut-b': PEER, a: HOME_PLACE })[node];

interface Given {
  node?: string;
  place?: string;
  /** Out of contact for long. */
  lost?: string;
  left?: string;
  held?: boolean;
  going?: boolean;
  spec?: Partial<PersistentVolumeClaim['spec']>;
  granted?: string;
}

function claim({
  node,
  place,
  left,
  held = (place ?? left) !== undefined,
  going = false,
  spec,
  granted,
}: Given): PersistentVolumeClaim {
  const metadata: ObjectMeta = {
    name: 'data',
    namespace: 'shop',
    uid: 'u1',
    annotations: {
      ...(node === undefined ? {} : { [SELECTED_NODE_ANNOTATION]: node }),
      ...(place === undefined ? {} : { [PLACE_ANNOTATION]: place }),
      ...(left === undefined ? {} : { [LEFT_PLACES_ANNOTATION]: left }),
    },
    finalizers: held ? [VOLUME_FINALIZER] : [],
    ...(going ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  };
  return {
    metadata,
    spec: { resources: { requests: { storage: '1Gi' } }, ...spec },
    ...(granted === undefined ? {} : { status: { capacity: { storage: granted } } }),
  };
}

const volume = (
  more: Partial<PersistentVolume['spec']> = {},
  phase = 'Bound',
  metadata: object = {},
): PersistentVolume => ({
  metadata: { name: 'v', ...metadata },
  spec: {
    csi: { driver: VOLUME_DRIVER, volumeHandle: `${PEER}/u1` },
    persistentVolumeReclaimPolicy: 'Delete',
    ...more,
  },
  status: { phase },
});

const step = (given: Given, has?: PersistentVolume) =>
  nextClaimStep({
    claim: claim(given),
    storageClass: OURS,
    volume: has,
    placeOf,
    isLost: (peerId) => peerId === given.lost,
  });

describe('what is done next for a claim', () => {
  test('of another class is nothing', () => {
    expect(
      nextClaimStep({
        claim: claim({ node: 'headcut-b' }),
        storageClass: OTHER,
        volume: undefined,
        placeOf,
        isLost: () => false,
      }).type,
    ).toBe('none');
  });

  test.each<[string, Given, string]>([
    ['waits for the scheduler', {}, 'none'],
    ['is noted with its place before anybody is asked', { node: 'headcut-b' }, 'note-place'],
    ['is asked for where that is noted', { node: 'headcut-b', place: PEER }, 'ask-peer'],
    ['is made at home', { node: 'a', place: HOME_PLACE }, 'make-at-home'],
    ['is taken back where the scheduler chose another place', { node: 'a', place: PEER }, 'withdraw'],
    ['is taken back where it is to choose again', { place: PEER }, 'withdraw'],
    ['is to be placed anew when its node is gone', { node: 'headcut-gone' }, 'choose-again'],
    ['is let go once it is bound', { place: PEER, spec: { volumeName: 'v' } }, 'let-go'],
    ['is finished at home once it is bound', { place: HOME_PLACE, spec: { volumeName: 'v' } }, 'make-at-home'],
    ['is remembered by a volume when it goes on its way', { place: PEER, going: true }, 'leave-volume'],
    ['is taken back at home when it goes on its way', { place: HOME_PLACE, going: true }, 'withdraw'],
    [
      'is placed anew when the peer that makes it is lost',
      { node: 'headcut-b', place: PEER, lost: PEER },
      'leave-place',
    ],
    ['is not taken back first from a peer that is lost', { node: 'a', place: PEER, lost: PEER }, 'leave-place'],
    ['is not begun on a peer that is lost', { node: 'headcut-b', lost: PEER }, 'choose-again'],
    ['is made elsewhere, whatever is left behind', { node: 'a', left: PEER }, 'note-place'],
    ['is served once it is bound, whatever is left behind', { left: PEER, spec: { volumeName: 'v' } }, 'none'],
    ['is remembered by volumes when it goes and something is left', { left: PEER, going: true }, 'leave-volumes'],
    ['is nobody’s business when it goes without us', { going: true }, 'none'],
    ['is refused with a source', { node: 'a', spec: { dataSource: { name: 'x' } } }, 'refuse'],
  ])('that %s', (_name, given, type) => {
    expect(step(given).type).toBe(type);
  });

  test('is nothing else while Kubernetes binds it, also where the peer is lost', () => {
    expect(step({ node: 'headcut-b', place: PEER, lost: PEER }, volume()).type).toBe('none');
  });

  test('is nothing while Kubernetes binds it, and to let it go when it goes meanwhile', () => {
    expect(step({ node: 'headcut-b', place: PEER }, volume()).type).toBe('none');
    expect(step({ place: PEER, going: true }, volume()).type).toBe('let-go');
  });

  test('is to ask for more when it wants more than it has', () => {
    const bound = { spec: { volumeName: 'v', resources: { requests: { storage: '2Gi' } } } };
    expect(step({ ...bound, granted: '1Gi' }, volume())).toEqual({
      type: 'expand',
      peerId: PEER,
      bytes: 2 * 1024 ** 3,
    });
    expect(step({ ...bound, granted: '2Gi' }, volume()).type).toBe('none');
  });
});

describe('what becomes of a volume whose data is on a peer', () => {
  test.each<[string, PersistentVolume, boolean, object]>([
    ['stays while it is bound', volume(), true, { type: 'none' }],
    [
      'stays while it is bound, whoever deletes it',
      volume({}, 'Bound', { deletionTimestamp: 'x' }),
      true,
      { type: 'none' },
    ],
    [
      'goes with its data when it is released',
      volume({}, 'Released'),
      true,
      { type: 'delete-data', peerId: PEER, uid: 'u1' },
    ],
    [
      'is kept under the policy Retain',
      volume({ persistentVolumeReclaimPolicy: 'Retain' }, 'Released'),
      true,
      { type: 'none' },
    ],
    [
      'goes without its data when it is deleted under that policy',
      volume({ persistentVolumeReclaimPolicy: 'Retain' }, 'Released', { deletionTimestamp: 'x' }),
      true,
      { type: 'let-go', why: 'kept' },
    ],
    ['hangs on no former member', volume({}, 'Released'), false, { type: 'let-go', why: 'no-member' }],
  ])('%s', (_name, one, isMember, expected) => {
    expect(nextVolumeStep(one, isMember)).toEqual(expected);
  });

  test('is nothing of ours where it is of another driver', () => {
    const { csi: _, ...spec } = volume().spec;
    expect(nextVolumeStep({ ...volume({}, 'Released'), spec }, true)).toEqual({ type: 'none' });
  });
});

describe('a volume of this cluster for a claim', () => {
  const companion = (phase: string): PersistentVolumeClaim => ({
    metadata: { name: 'c' },
    spec: { volumeName: 'v' },
    status: { phase },
  });
  const at = (uid: string, annotations: Record<string, string>, phase: string): PersistentVolume => ({
    metadata: { name: 'v', annotations },
    spec: { claimRef: { uid }, persistentVolumeReclaimPolicy: 'Retain' },
    status: { phase },
  });
  const held = { [FOR_CLAIM_ANNOTATION]: 'u1', [RECLAIM_ANNOTATION]: 'Delete' };
  const home = (has: PersistentVolume | undefined, by: PersistentVolumeClaim | undefined) => ({
    claim: claim({ place: HOME_PLACE }),
    storageClass: OURS,
    companion: by,
    volume: has,
  });

  test('is never under the policy Delete and nobody’s at once', () => {
    expect(nextHomeStep(home(undefined, undefined)).type).toBe('make-companion');
    expect(nextHomeStep(home(undefined, companion('Pending'))).type).toBe('wait');
    expect(nextHomeStep(home(at('c', {}, 'Bound'), companion('Bound')))).toMatchObject({
      type: 'hold-volume',
      patch: { spec: { persistentVolumeReclaimPolicy: 'Retain' } },
    });
    expect(nextHomeStep(home(at('c', held, 'Bound'), companion('Bound'))).type).toBe('delete-companion');
    const handed = nextHomeStep(home(at('c', held, 'Released'), undefined));
    expect(handed).toMatchObject({ type: 'hand-over', patch: { spec: { claimRef: { uid: 'u1' } } } });
    expect(JSON.stringify(handed)).not.toContain('Delete');
    // Its phase is still that of before: who deletes what is released would delete it.
    expect(nextHomeStep(home(at('u1', held, 'Released'), undefined)).type).toBe('wait');
    expect(nextHomeStep(home(at('u1', held, 'Bound'), undefined)).type).toBe('give-policy');
    expect(nextHomeStep(home(at('u1', { [FOR_CLAIM_ANNOTATION]: 'u1' }, 'Bound'), undefined)).type).toBe('done');
  });

  test('is made anew where the one that was made is being deleted', () => {
    const going = (uid: string, annotations: Record<string, string>) => {
      const one = at(uid, annotations, 'Released');
      return { ...one, metadata: { ...one.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    };
    expect(nextHomeStep(home(going('c', held), undefined)).type).toBe('make-companion');
    expect(nextHomeStep(home(going('c', {}), companion('Bound'))).type).toBe('delete-companion');
    expect(isStillFor(going('c', held), claim({}))).toBe(false);
    expect(isStillFor(going('u1', held), claim({}))).toBe(true);
  });

  test('is not the claim’s any more once its policy was given back', () => {
    expect(isStillFor(at('c', { [FOR_CLAIM_ANNOTATION]: 'u1' }, 'Released'), claim({}))).toBe(false);
    expect(isStillFor(at('c', held, 'Released'), claim({}))).toBe(true);
    expect(isStillFor(at('u1', { [FOR_CLAIM_ANNOTATION]: 'u1' }, 'Bound'), claim({}))).toBe(true);
  });

  test('is made elsewhere when its provisioner gives the node back', () => {
    const by = (volumeBindingMode: string, annotations: Record<string, string>): string => {
      const waiting = { metadata: { name: 'c', annotations }, spec: {}, status: { phase: 'Pending' } };
      const companionClass = { ...OTHER, volumeBindingMode };
      return nextHomeStep({ ...home(undefined, waiting), companionClass }).type;
    };
    expect(by('WaitForFirstConsumer', { [SELECTED_NODE_ANNOTATION]: 'a' })).toBe('wait');
    expect(by('WaitForFirstConsumer', {})).toBe('give-up');
    expect(by('Immediate', {})).toBe('wait');
  });

  test('is taken back as long as it is not the claim’s', () => {
    expect(withdrawHomeStep(home(at('c', {}, 'Bound'), companion('Bound'))).type).toBe('delete-companion');
    expect(withdrawHomeStep(home(at('c', held, 'Released'), undefined)).type).toBe('give-policy');
    expect(withdrawHomeStep(home(undefined, undefined)).type).toBe('done');
  });
});
