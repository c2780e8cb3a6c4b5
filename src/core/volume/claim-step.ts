import type { ObjectMeta } from '../kube-objects.ts';
import {
  bytesOf,
  HOME_PLACE,
  isTravelling,
  leftPlacesOf,
  type PersistentVolume,
  type PersistentVolumeClaim,
  PLACE_ANNOTATION,
  placeOfVolume,
  requestedBytes,
  SELECTED_NODE_ANNOTATION,
  type StorageClass,
  VOLUME_FINALIZER,
} from './volume-objects.ts';

/** What the home of a claim, and of a volume, does next. One step at a time: each is seen in the objects before the next is planned. */

export interface ClaimObservation {
  claim: PersistentVolumeClaim;
  /** The claim's class; undefined where there is none of that name. */
  storageClass: StorageClass | undefined;
  /** The volume of that claim on a peer. */
  volume: PersistentVolume | undefined;
  /** What a node is: the ID of the peer that it stands for, `home`, or undefined when there is no such node. */
  placeOf(node: string): string | undefined;
  /** Whether a peer has been out of contact for so long that what waits for it goes elsewhere. */
  isLost(peerId: string): boolean;
}

export type ClaimStep =
  | { type: 'none' }
  /** Notes where the volume is made, before anybody is asked to. */
  | { type: 'note-place'; place: string }
  | { type: 'ask-peer'; peerId: string }
  /** The next of the steps at home. @see nextHomeStep */
  | { type: 'make-at-home'; node: string }
  /** The scheduler changed its mind: what was made at the former place goes. */
  | { type: 'withdraw'; place: string }
  /** The peer is lost while it makes the volume: that is for later, and the scheduler chooses again. */
  | { type: 'leave-place'; place: string; isChosen: boolean }
  /** The claim goes, and peers that were lost may still have some of it: volumes remember what is to be deleted. */
  | { type: 'leave-volumes' }
  /** The claim goes while its volume is on its way: a volume of its own remembers what is to be deleted. */
  | { type: 'leave-volume'; peerId: string }
  /** Others look after it from here on. */
  | { type: 'let-go' }
  | { type: 'expand'; peerId: string; bytes: number }
  /** The chosen node is there no more. */
  | { type: 'choose-again' }
  | { type: 'refuse'; reason: string; message: string };

const NONE: ClaimStep = { type: 'none' };

/** @see ClaimStep */
export function nextClaimStep(observed: ClaimObservation): ClaimStep {
  const { claim, storageClass, volume } = observed;
  const { metadata, spec } = claim;
  const isOurs = storageClass !== undefined && isTravelling(storageClass);
  const isHeld = metadata.finalizers?.includes(VOLUME_FINALIZER) === true;
  if (!isOurs && !isHeld) return NONE;
  const place = metadata.annotations?.[PLACE_ANNOTATION];
  const left = leftPlacesOf(claim);
  if (metadata.deletionTimestamp !== undefined) return isHeld ? stepOfGoing(place, left, volume) : NONE;
  if ((spec.volumeName ?? '') !== '') {
    // One that is held for what is left of it elsewhere is served like any other.
    if (!isHeld || (place === undefined && left.length > 0)) return stepOfBound(observed);
    return place === HOME_PLACE ? { type: 'make-at-home', node: '' } : { type: 'let-go' };
  }
  if (!isOurs) return NONE;
  if (spec.dataSource !== undefined || spec.dataSourceRef !== undefined)
    return {
      type: 'refuse',
      reason: 'DataSourceNotSupported',
      message:
        'volumes that travel begin empty: a snapshot or another claim as their source is not supported; leave dataSource and dataSourceRef out, or use another StorageClass',
    };
  return stepOfWaiting(observed, place);
}

function stepOfWaiting({ claim, volume, placeOf, isLost }: ClaimObservation, place: string | undefined): ClaimStep {
  const node = claim.metadata.annotations?.[SELECTED_NODE_ANNOTATION] ?? '';
  const selected = node === '' ? undefined : placeOf(node);
  if (place !== undefined && place !== HOME_PLACE && volume === undefined && isLost(place))
    return { type: 'leave-place', place, isChosen: selected === place };
  if (node !== '' && selected === undefined) return { type: 'choose-again' };
  if (place !== undefined && place !== selected) return { type: 'withdraw', place };
  if (selected === undefined) return NONE;
  if (place === undefined)
    return selected !== HOME_PLACE && isLost(selected)
      ? { type: 'choose-again' }
      : { type: 'note-place', place: selected };
  if (selected === HOME_PLACE) return { type: 'make-at-home', node };
  return volume === undefined ? { type: 'ask-peer', peerId: selected } : NONE;
}

function stepOfGoing(place: string | undefined, left: string[], volume: PersistentVolume | undefined): ClaimStep {
  if (left.length > 0) return { type: 'leave-volumes' };
  if (place === HOME_PLACE) return { type: 'withdraw', place };
  if (place === undefined || volume !== undefined) return { type: 'let-go' };
  return { type: 'leave-volume', peerId: place };
}

function stepOfBound({ claim, volume }: ClaimObservation): ClaimStep {
  const at = volume === undefined ? undefined : placeOfVolume(volume);
  if (volume === undefined || at === undefined) return NONE;
  const bytes = requestedBytes(claim);
  if (bytes <= bytesOf(claim.status?.capacity?.storage)) return NONE;
  return { type: 'expand', peerId: at.peerId, bytes };
}

export type VolumeStep =
  | { type: 'none' }
  /** The data goes, then the object. */
  | { type: 'delete-data'; peerId: string; uid: string }
  /** The object goes, and nobody is asked: its data is to be kept, or its member is none any more. */
  | { type: 'let-go'; why: 'kept' | 'no-member' };

/** What becomes of a volume. @param isMember whether the member that has its data is one now */
export function nextVolumeStep(volume: PersistentVolume, isMember: boolean): VolumeStep {
  const at = placeOfVolume(volume);
  if (at === undefined) return { type: 'none' };
  const { metadata, spec, status } = volume;
  const isDelete = spec.persistentVolumeReclaimPolicy === 'Delete';
  const isReleased = status?.phase === 'Released';
  const isGoing = metadata.deletionTimestamp !== undefined;
  if (!isGoing && !(isReleased && isDelete)) return { type: 'none' };
  if (!isReleased && status?.phase === 'Bound') return { type: 'none' };
  if (!isDelete) return { type: 'let-go', why: 'kept' };
  return isMember ? { type: 'delete-data', ...at } : { type: 'let-go', why: 'no-member' };
}

/** The finalizers with ours, or without it. */
export function finalizersWith({ finalizers = [] }: ObjectMeta, isHeld: boolean): string[] {
  const others = finalizers.filter((one) => one !== VOLUME_FINALIZER);
  return isHeld ? [...others, VOLUME_FINALIZER] : others;
}
