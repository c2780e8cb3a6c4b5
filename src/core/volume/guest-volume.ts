import type { OfferedClass, VolumeAnswer, VolumeRequest } from '../exchange/volume.ts';
import {
  MANAGED_BY,
  MANAGED_BY_LABEL,
  ORIGIN_CLUSTER_LABEL,
  ORIGIN_NAMESPACE_LABEL,
  ORIGIN_UID_LABEL,
} from '../labels.ts';
import type { Origin } from '../reflection/reflected-object.ts';
import {
  CLAIM_NAME_ANNOTATION,
  defaultClassOf,
  grantedBytes,
  isTravelling,
  type PersistentVolumeClaim,
  requestedBytes,
  SELECTED_NODE_ANNOTATION,
  type StorageClass,
  storageQuantity,
  twinClaimName,
} from './volume-objects.ts';

/** The provider's side of volumes: what of its storage other members may have, and what it makes for them. */

const GIB = 1024 ** 3;
const HOUR_MS = 3_600_000;

/** `spec.storage` of the Federation, as its CRD has it. */
export interface StorageSettings {
  /** Classes that are offered; none named: the default class alone. */
  classes?: string[];
  /** The class that serves claims of this cluster's own that stay here; not named: the default class. */
  homeClass?: string;
  perPeerGiB?: number;
  totalGiB?: number;
  volumesPerPeer?: number;
  keepHours?: number;
}

export interface StorageTerms {
  perPeerBytes: number;
  totalBytes: number;
  volumesPerPeer: number;
  /** How long data of a member stays that is none any more. */
  keepMs: number;
}

export function storageTermsOf(settings: StorageSettings = {}): StorageTerms {
  const { perPeerGiB = 10, totalGiB = 50, volumesPerPeer = 64, keepHours = 720 } = settings;
  return {
    perPeerBytes: perPeerGiB * GIB,
    totalBytes: totalGiB * GIB,
    volumesPerPeer,
    keepMs: keepHours * HOUR_MS,
  };
}

/** The classes that peers may ask for, the first one for those who name none. */
export function offeredClasses(classes: readonly StorageClass[], settings: StorageSettings = {}): StorageClass[] {
  const usable = classes.filter((one) => !isTravelling(one));
  if (settings.classes === undefined || settings.classes.length === 0) {
    const standard = defaultClassOf(usable);
    return standard === undefined ? [] : [standard];
  }
  return settings.classes.flatMap((name) => usable.filter(({ metadata }) => metadata.name === name));
}

/** The class that serves claims of this cluster's own that stay here; undefined where there is none. */
export function homeClassOf(
  classes: readonly StorageClass[],
  settings: StorageSettings = {},
): StorageClass | undefined {
  const { homeClass } = settings;
  if (homeClass === undefined) return defaultClassOf(classes);
  return classes.find((one) => one.metadata.name === homeClass && !isTravelling(one));
}

/** What is known where a member asks for a volume. */
export interface StorageView {
  /** All claims in twin namespaces. */
  claims: readonly PersistentVolumeClaim[];
  classes: readonly StorageClass[];
  settings: StorageSettings | undefined;
}

/** What is offered to a peer now. */
export function storageOfferFor(peerId: string, view: StorageView): OfferedClass[] {
  const bytes = leftFor(peerId, view);
  return offeredClasses(view.classes, view.settings).map(({ metadata }) => ({ name: metadata.name, bytes }));
}

/** Bytes that the peer may still ask for; a volume that goes counts until it is gone. */
function leftFor(peerId: string, { claims, settings }: StorageView): number {
  const { perPeerBytes, totalBytes, volumesPerPeer } = storageTermsOf(settings);
  const own = claims.filter((claim) => ownerOf(claim) === peerId);
  if (own.length >= volumesPerPeer) return 0;
  return Math.max(0, Math.min(perPeerBytes - usedBytes(own), totalBytes - usedBytes(claims)));
}

/** What claims ask for or have, whichever is more. */
export function usedBytes(claims: readonly PersistentVolumeClaim[]): number {
  return claims.reduce((sum, claim) => sum + Math.max(requestedBytes(claim), grantedBytes(claim)), 0);
}

export function ownerOf({ metadata }: PersistentVolumeClaim): string | undefined {
  return metadata.labels?.[ORIGIN_CLUSTER_LABEL];
}

/** Which class a new volume gets, or why there is none. */
export function judgeVolume(
  peerId: string,
  request: VolumeRequest,
  view: StorageView,
): { class: StorageClass } | Extract<VolumeAnswer, { state: 'Refused' }> {
  const offered = offeredClasses(view.classes, view.settings);
  const found = request.class === undefined ? offered[0] : offered.find((one) => one.metadata.name === request.class);
  if (found === undefined)
    return refused('policy', 'ClassNotOffered', `the provider offers no storage${ofClass(request.class)}`);
  return refusalOfMore(peerId, request.bytes, view) ?? { class: found };
}

/** Why a peer cannot have so many bytes more; undefined when it can. */
export function refusalOfMore(
  peerId: string,
  bytes: number,
  view: StorageView,
): Extract<VolumeAnswer, { state: 'Refused' }> | undefined {
  const left = leftFor(peerId, view);
  if (bytes <= left) return undefined;
  const message = `the provider has no ${inGiB(bytes)} of storage for this member: ${inGiB(left)} are left (spec.storage of its Federation)`;
  return refused('room', 'OutOfStorage', message);
}

export function refused(
  kind: 'room' | 'policy' | 'later',
  reason: string,
  message: string,
): Extract<VolumeAnswer, { state: 'Refused' }> {
  return { state: 'Refused', kind, reason, message };
}

/** For people: `1.5 GiB`. */
export function inGiB(bytes: number): string {
  return `${Number((bytes / GIB).toFixed(bytes < GIB ? 3 : 1))} GiB`;
}

function ofClass(name: string | undefined): string {
  return name === undefined
    ? ' (it has no default StorageClass, and its Federation names none in spec.storage.classes)'
    : ` of class ${name}`;
}

/** The claim that the provider makes. @param node where it is to be provisioned, for a class that waits for a consumer */
export function toTwinClaim(
  origin: Origin & { uid: string },
  request: VolumeRequest,
  made: { namespace: string; class: StorageClass; node: string | undefined },
): PersistentVolumeClaim {
  const waits = made.class.volumeBindingMode === 'WaitForFirstConsumer' && made.node !== undefined;
  return {
    metadata: {
      name: twinClaimName(origin.uid),
      namespace: made.namespace,
      labels: {
        [MANAGED_BY_LABEL]: MANAGED_BY,
        [ORIGIN_CLUSTER_LABEL]: origin.cluster,
        [ORIGIN_NAMESPACE_LABEL]: origin.namespace,
        [ORIGIN_UID_LABEL]: origin.uid,
      },
      annotations: {
        [CLAIM_NAME_ANNOTATION]: request.name,
        ...(waits ? { [SELECTED_NODE_ANNOTATION]: made.node ?? '' } : {}),
      },
    },
    spec: {
      storageClassName: made.class.metadata.name,
      accessModes: [...request.accessModes],
      volumeMode: request.volumeMode,
      resources: { requests: { storage: storageQuantity(request.bytes) } },
    },
  };
}

/** Whether a claim in a twin namespace is the one of this member and UID. */
export function isClaimOf(
  { metadata: { labels = {} } }: PersistentVolumeClaim,
  owner: Origin & { uid: string },
): boolean {
  return (
    labels[ORIGIN_CLUSTER_LABEL] === owner.cluster &&
    labels[ORIGIN_NAMESPACE_LABEL] === owner.namespace &&
    labels[ORIGIN_UID_LABEL] === owner.uid
  );
}

/** How far the volume is. @param message what its provisioner said last */
export function answerFor(claim: PersistentVolumeClaim, message: string): VolumeAnswer {
  if (claim.metadata.deletionTimestamp !== undefined)
    return refused('later', 'BeingRemoved', 'the provider is still removing this volume');
  if (claim.status?.phase === 'Lost')
    return refused('policy', 'VolumeLost', 'the PersistentVolume of this claim is gone on the provider');
  if (claim.status?.phase !== 'Bound') return { state: 'Pending', message };
  return { state: 'Bound', bytes: grantedBytes(claim) };
}
