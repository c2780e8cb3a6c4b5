import type { KubeObject } from '../kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, ORIGIN_UID_LABEL, PEER_LABEL } from '../labels.ts';
import {
  CLAIM_NAME_ANNOTATION,
  FOR_CLAIM_ANNOTATION,
  type PersistentVolume,
  type PersistentVolumeClaim,
  RECLAIM_ANNOTATION,
  SELECTED_NODE_ANNOTATION,
  type StorageClass,
} from './volume-objects.ts';

/**
 * How a claim of our class gets a volume of this cluster's own: a claim of the agent, the companion, has the cluster's provisioner make
 * one, which is then handed over to the claim it is for. So the volume is one as any other here: it is mounted, deleted and, without
 * headcut, lived with as if the claim had been of that class. Until it is the claim's it is under the policy Retain.
 */

export interface HomeObservation {
  claim: PersistentVolumeClaim;
  /** The class of the claim itself, which says what becomes of the volume in the end. */
  storageClass: StorageClass | undefined;
  companion: PersistentVolumeClaim | undefined;
  /** The class of the companion. */
  companionClass?: StorageClass | undefined;
  /** The volume that the companion has, or that was made for this claim. */
  volume: PersistentVolume | undefined;
}

export type HomeStep =
  /** Others work, and their work is seen. */
  | { type: 'wait' }
  | { type: 'make-companion' }
  /** The provisioner cannot make it on that node: the scheduler is to choose again. */
  | { type: 'give-up' }
  /** Notes for whom the volume is, and what becomes of it; nobody deletes it from then on. */
  | { type: 'hold-volume'; patch: object }
  | { type: 'delete-companion' }
  | { type: 'hand-over'; patch: object }
  | { type: 'give-policy'; patch: object }
  | { type: 'done' };

/** @see HomeStep */
export function nextHomeStep(observed: HomeObservation): HomeStep {
  const { claim, storageClass, companion, volume } = observed;
  const { uid = '' } = claim.metadata;
  if (volume === undefined) {
    if (companion === undefined) return { type: 'make-companion' };
    return isGivenBack(observed) ? { type: 'give-up' } : { type: 'wait' };
  }
  const { annotations = {}, deletionTimestamp } = volume.metadata;
  const isTheClaims = volume.spec.claimRef?.uid === uid;
  // What goes is nobody's any more: another one is made.
  if (deletionTimestamp !== undefined && !isTheClaims)
    return companion === undefined ? { type: 'make-companion' } : { type: 'delete-companion' };
  if (annotations[FOR_CLAIM_ANNOTATION] !== uid) {
    if (companion?.status?.phase !== 'Bound') return { type: 'wait' };
    return { type: 'hold-volume', patch: holding(volume, uid, storageClass?.reclaimPolicy ?? 'Delete') };
  }
  if (companion !== undefined) return { type: 'delete-companion' };
  if (!isTheClaims) return { type: 'hand-over', patch: handingOver(claim) };
  if (volume.status?.phase !== 'Bound') return { type: 'wait' };
  return withPolicy(volume) ?? { type: 'done' };
}

/** Who provisions for a class that waits for its consumer takes the node away when nothing can be made there. */
function isGivenBack({ companion, companionClass }: HomeObservation): boolean {
  if (companion === undefined || companionClass?.volumeBindingMode !== 'WaitForFirstConsumer') return false;
  const { annotations = {}, deletionTimestamp } = companion.metadata;
  const isBound = (companion.spec.volumeName ?? '') !== '';
  return !isBound && deletionTimestamp === undefined && (annotations[SELECTED_NODE_ANNOTATION] ?? '') === '';
}

/** Whether a volume that was made for this claim is still for it: one that was given up is deleted by its provisioner. */
export function isStillFor(
  { metadata, spec }: PersistentVolume,
  { metadata: { uid } }: PersistentVolumeClaim,
): boolean {
  const { annotations = {}, deletionTimestamp } = metadata;
  if (annotations[FOR_CLAIM_ANNOTATION] !== uid) return false;
  return spec.claimRef?.uid === uid || (deletionTimestamp === undefined && RECLAIM_ANNOTATION in annotations);
}

/** What is done about a volume at home whose claim goes before it has it. */
export function withdrawHomeStep({ companion, volume, claim }: Omit<HomeObservation, 'storageClass'>): HomeStep {
  const isTheClaims = volume?.spec.claimRef?.uid === claim.metadata.uid;
  // It is deleted with its claim, or kept, as any other.
  if (volume !== undefined && isTheClaims) return withPolicy(volume) ?? { type: 'done' };
  if (companion !== undefined) return { type: 'delete-companion' };
  const isHeld = volume?.metadata.annotations?.[FOR_CLAIM_ANNOTATION] === claim.metadata.uid;
  // Nobody has written into it.
  return volume !== undefined && isHeld ? (withPolicy(volume) ?? { type: 'done' }) : { type: 'done' };
}

/** Of a volume that was held, whose agent was away when it was handed over. */
export function forgottenPolicy(volume: PersistentVolume): HomeStep | undefined {
  const { claimRef } = volume.spec;
  const isTheClaims = claimRef?.uid === volume.metadata.annotations?.[FOR_CLAIM_ANNOTATION];
  return isTheClaims && volume.status?.phase === 'Released' ? withPolicy(volume) : undefined;
}

function withPolicy({ metadata }: PersistentVolume): HomeStep | undefined {
  const policy = metadata.annotations?.[RECLAIM_ANNOTATION];
  if (policy === undefined) return undefined;
  const patch = {
    metadata: { annotations: { [RECLAIM_ANNOTATION]: null } },
    spec: { persistentVolumeReclaimPolicy: policy },
  };
  return { type: 'give-policy', patch };
}

/** On no virtual node: one without an affinity, as of a network file system, would be looked for there too. */
const AT_HOME = {
  required: { nodeSelectorTerms: [{ matchExpressions: [{ key: PEER_LABEL, operator: 'DoesNotExist' }] }] },
};

function holding({ spec }: PersistentVolume, uid: string, policy: string): object {
  return {
    metadata: { annotations: { [FOR_CLAIM_ANNOTATION]: uid, [RECLAIM_ANNOTATION]: policy } },
    spec: {
      persistentVolumeReclaimPolicy: 'Retain',
      ...(spec.nodeAffinity === undefined ? { nodeAffinity: AT_HOME } : {}),
    },
  };
}

function handingOver({ metadata: { namespace, name, uid } }: PersistentVolumeClaim): object {
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid, resourceVersion: null };
  return { spec: { claimRef } };
}

export function companionName(claimUid: string): string {
  return `home-${claimUid}`;
}

/** @param node where it is to be provisioned */
export function toCompanion(
  claim: PersistentVolumeClaim,
  made: { namespace: string; class: StorageClass; node: string },
): PersistentVolumeClaim {
  const { uid = '', namespace = '', name } = claim.metadata;
  const { accessModes, volumeMode, resources } = claim.spec;
  const waits = made.class.volumeBindingMode === 'WaitForFirstConsumer';
  return {
    metadata: {
      name: companionName(uid),
      namespace: made.namespace,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY, [ORIGIN_UID_LABEL]: uid },
      annotations: {
        [CLAIM_NAME_ANNOTATION]: `${namespace}/${name}`,
        ...(waits ? { [SELECTED_NODE_ANNOTATION]: made.node } : {}),
      },
    },
    spec: {
      storageClassName: made.class.metadata.name,
      ...(accessModes === undefined ? {} : { accessModes }),
      ...(volumeMode === undefined ? {} : { volumeMode }),
      resources: { requests: { storage: resources?.requests?.storage ?? '0' } },
    },
  };
}

/** An object that only has to be known by its UID. */
export function isCompanionOf(companion: KubeObject, claim: PersistentVolumeClaim): boolean {
  return companion.metadata.labels?.[ORIGIN_UID_LABEL] === claim.metadata.uid;
}
