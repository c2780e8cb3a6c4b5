import type { AccessMode, OfferedClass, VolumeRequest } from '../exchange/volume.ts';
import { ACCESS_MODES } from '../exchange/volume.ts';
import type { KubeObject } from '../kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, PEER_LABEL } from '../labels.ts';
import {
  isTravelling,
  type PersistentVolume,
  type PersistentVolumeClaim,
  PROVISIONED_BY_ANNOTATION,
  requestedBytes,
  type StorageClass,
  storageQuantity,
  VOLUME_DRIVER,
  VOLUME_FINALIZER,
  volumeName,
} from './volume-objects.ts';

/** The home's side of volumes on peers: what is asked for, the volume at home that stands for one, and what the scheduler reads. */

/** The parameter of a StorageClass of ours that names a class of the provider. */
const CLASS_PARAMETER = 'class';

/** What a peer is asked for; a text that says why a claim cannot be had there. */
export function toRequest(claim: PersistentVolumeClaim, { parameters }: StorageClass): VolumeRequest {
  const { namespace = '', name } = claim.metadata;
  const { accessModes = [], volumeMode } = claim.spec;
  const known = accessModes.filter((mode): mode is AccessMode => (ACCESS_MODES as readonly string[]).includes(mode));
  const asked = parameters?.[CLASS_PARAMETER];
  return {
    namespace,
    name,
    bytes: requestedBytes(claim),
    accessModes: known,
    volumeMode: volumeMode === 'Block' ? 'Block' : 'Filesystem',
    ...(asked === undefined || asked === '' ? {} : { class: asked }),
  };
}

/** The volume at home whose data is on a peer: pods that use it are for that peer's virtual node alone. */
export function toPeerVolume(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass | undefined,
  at: { peerId: string; peerName: string; bytes: number },
): PersistentVolume {
  const { namespace, name, uid = '' } = claim.metadata;
  const { accessModes, volumeMode, storageClassName } = claim.spec;
  return {
    metadata: {
      name: volumeName(uid),
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY },
      annotations: { [PROVISIONED_BY_ANNOTATION]: VOLUME_DRIVER },
      finalizers: [VOLUME_FINALIZER],
    },
    spec: {
      capacity: { storage: storageQuantity(at.bytes) },
      ...(accessModes === undefined ? {} : { accessModes }),
      ...(volumeMode === undefined ? {} : { volumeMode }),
      persistentVolumeReclaimPolicy: storageClass?.reclaimPolicy ?? 'Delete',
      ...(storageClassName === undefined ? {} : { storageClassName }),
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      csi: {
        driver: VOLUME_DRIVER,
        volumeHandle: `${at.peerId}/${uid}`,
        volumeAttributes: { peer: at.peerName },
      },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: PEER_LABEL, operator: 'In', values: [at.peerId] }] }],
        },
      },
    } as PersistentVolume['spec'],
  };
}

/** A CSIStorageCapacity: how much of a class the nodes of a topology have. The default scheduler reads it for our CSIDriver. */
export interface StorageCapacity extends KubeObject {
  nodeTopology: object;
  storageClassName: string;
  capacity: string;
}

/** At home there is no other limit than that of the class that serves it. */
const UNLIMITED = String(8n * 1024n ** 6n - 1n);

export interface CapacityInput {
  classes: readonly StorageClass[];
  peers: readonly { id: string; storage: readonly OfferedClass[] }[];
  /** Whether this cluster has a class that serves what stays here. */
  hasHomeClass: boolean;
}

/** What the scheduler is told: for each class of ours, which nodes have how much. */
export function storageCapacities({ classes, peers, hasHomeClass }: CapacityInput): StorageCapacity[] {
  return classes.filter(isTravelling).flatMap((storageClass) => {
    const { name } = storageClass.metadata;
    const home = { matchExpressions: [{ key: PEER_LABEL, operator: 'DoesNotExist' }] };
    const asked = storageClass.parameters?.[CLASS_PARAMETER] ?? '';
    const offers = peers.flatMap(({ id, storage }) => {
      const found = asked === '' ? storage[0] : storage.find((one) => one.name === asked);
      return found === undefined
        ? []
        : [toCapacity(name, id, { matchLabels: { [PEER_LABEL]: id } }, storageQuantity(found.bytes))];
    });
    return [...(hasHomeClass ? [toCapacity(name, 'home', home, UNLIMITED)] : []), ...offers];
  });
}

/** Names begin with those of their class, which may be as long as theirs. */
const MAX_CLASS_IN_NAME = 180;

function toCapacity(storageClassName: string, place: string, nodeTopology: object, capacity: string): StorageCapacity {
  return {
    metadata: {
      name: `${storageClassName.slice(0, MAX_CLASS_IN_NAME)}.${place.slice(0, 20)}`,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY },
    },
    nodeTopology,
    storageClassName,
    capacity,
  };
}
