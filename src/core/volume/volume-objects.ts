import type { KubeObject, ResourceList } from '../kube-objects.ts';
import { quantityFrom } from '../quantities/quantity.ts';

/** Volumes that travel: the objects of Kubernetes that say where one is, and the names by which headcut knows its own. */

/** The provisioner of our StorageClasses, and the name of the CSIDriver object by which the scheduler looks at capacities. */
export const VOLUME_DRIVER = 'volumes.headcut.dev';

/** Set by the scheduler: where a claim that waits for its first consumer is to be provisioned. */
export const SELECTED_NODE_ANNOTATION = 'volume.kubernetes.io/selected-node';
/** Of a PersistentVolume: which provisioner made it, and deletes it. */
export const PROVISIONED_BY_ANNOTATION = 'pv.kubernetes.io/provisioned-by';
/** Of a StorageClass. */
const DEFAULT_CLASS_ANNOTATIONS = [
  'storageclass.kubernetes.io/is-default-class',
  'storageclass.beta.kubernetes.io/is-default-class',
];

/** Keeps claims whose volume is on its way, and volumes whose data is on a peer, until nobody loses sight of these. */
export const VOLUME_FINALIZER = 'headcut.dev/volume';
/** Of a claim whose volume is on its way: the ID of the member that makes it, or `home`. */
export const PLACE_ANNOTATION = 'headcut.dev/volume-place';
/** Of a claim: IDs, divided by commas, of members that were lost while they made its volume, and that may have some of it. */
export const LEFT_PLACES_ANNOTATION = 'headcut.dev/volume-left-places';
export const HOME_PLACE = 'home';
/** Of a volume that was made at home: the UID of the claim that it is for. */
export const FOR_CLAIM_ANNOTATION = 'headcut.dev/for-claim';
/** Of such a volume while it is kept from being deleted: the reclaim policy that it gets at the end. */
export const RECLAIM_ANNOTATION = 'headcut.dev/reclaim-policy';
/** Of a claim in a twin namespace: what it is called at home. */
export const CLAIM_NAME_ANNOTATION = 'headcut.dev/claim-name';
/** Of a claim in a twin namespace: since when (RFC 3339) its home has been no member. */
export const LEFT_AT_ANNOTATION = 'headcut.dev/left-at';
/** Of a claim in a twin namespace: `true` keeps its data for as long as it says so. */
export const KEEP_ANNOTATION = 'headcut.dev/keep-volume';

export interface PersistentVolumeClaim extends KubeObject {
  spec: {
    storageClassName?: string;
    volumeName?: string;
    volumeMode?: string;
    accessModes?: string[];
    resources?: { requests?: ResourceList };
    dataSource?: unknown;
    dataSourceRef?: unknown;
    [field: string]: unknown;
  };
  status?: { phase?: string; capacity?: ResourceList; [field: string]: unknown };
}

export interface PersistentVolume extends KubeObject {
  spec: {
    capacity?: ResourceList;
    storageClassName?: string;
    persistentVolumeReclaimPolicy?: string;
    claimRef?: { namespace?: string; name?: string; uid?: string };
    csi?: { driver: string; volumeHandle: string };
    nodeAffinity?: unknown;
    [field: string]: unknown;
  };
  status?: { phase?: string; [field: string]: unknown };
}

export interface StorageClass extends KubeObject {
  provisioner: string;
  parameters?: Record<string, string>;
  reclaimPolicy?: string;
  volumeBindingMode?: string;
}

/** Whether claims of this class travel. */
export function isTravelling({ provisioner }: Pick<StorageClass, 'provisioner'>): boolean {
  return provisioner === VOLUME_DRIVER;
}

/** The default class among those of others: one of ours would be served by itself. The newest counts, as for the API server. */
export function defaultClassOf(classes: readonly StorageClass[]): StorageClass | undefined {
  const isDefault = ({ metadata: { annotations = {} } }: StorageClass): boolean =>
    DEFAULT_CLASS_ANNOTATIONS.some((name) => annotations[name] === 'true');
  const since = ({ metadata }: StorageClass): string => `${metadata.creationTimestamp ?? ''} ${metadata.name}`;
  const [newest] = classes
    .filter((one) => isDefault(one) && !isTravelling(one))
    .sort((a, b) => (since(a) < since(b) ? 1 : -1));
  return newest;
}

/** Members that are still to be asked to delete what they may have made for a claim. */
export function leftPlacesOf({ metadata }: PersistentVolumeClaim): string[] {
  const text = metadata.annotations?.[LEFT_PLACES_ANNOTATION] ?? '';
  return [...new Set(text.split(',').filter((id) => id !== ''))];
}

/** Whole bytes of a quantity, rounded up; 0 for what is none. At most what a number holds exactly. */
export function bytesOf(quantity: string | undefined): number {
  const milli = quantityFrom(quantity ?? '') ?? 0n;
  const bytes = (milli + 999n) / 1000n;
  return bytes > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Math.max(0, Number(bytes));
}

const UNITS: readonly [string, number][] = [
  ['Ti', 1024 ** 4],
  ['Gi', 1024 ** 3],
  ['Mi', 1024 ** 2],
  ['Ki', 1024],
];

/** A quantity as people write it, exact: `1Gi`. */
export function storageQuantity(bytes: number): string {
  const [unit, size] = UNITS.find(([, one]) => bytes >= one && bytes % one === 0) ?? ['', 1];
  return `${bytes / size}${unit}`;
}

/** What a claim asks for, in bytes. */
export function requestedBytes({ spec }: PersistentVolumeClaim): number {
  return bytesOf(spec.resources?.requests?.storage);
}

/** What it has, in bytes; 0 as long as it has nothing. */
export function grantedBytes({ status }: PersistentVolumeClaim): number {
  return bytesOf(status?.capacity?.storage);
}

/** The member and the claim's UID that a volume of ours stands for; undefined for other volumes. */
export function placeOfVolume({ spec }: PersistentVolume): { peerId: string; uid: string } | undefined {
  if (spec.csi?.driver !== VOLUME_DRIVER) return undefined;
  const [peerId = '', uid = ''] = spec.csi.volumeHandle.split('/');
  return peerId === '' || uid === '' ? undefined : { peerId, uid };
}

/** The name of the volume at home of a claim whose data is on a peer. */
export function volumeName(claimUid: string): string {
  return `headcut-${claimUid}`;
}

/** The name of a volume at home that only remembers what a peer is to delete. */
export function leftVolumeName(claimUid: string, peerId: string): string {
  return `${volumeName(claimUid)}-${peerId.slice(0, 16).toLowerCase()}`;
}

/** The name that a claim of a member has in its twin namespace: by its UID, so that a new claim of an old name is another one. */
export function twinClaimName(claimUid: string): string {
  return `${TWIN_CLAIM_PREFIX}${claimUid.toLowerCase()}`;
}

export const TWIN_CLAIM_PREFIX = 'volume-';
