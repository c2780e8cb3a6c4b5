import { CodedError } from '../core/coded-error.ts';
import { ORIGIN_CLUSTER_LABEL, ORIGIN_NAMESPACE_LABEL, ORIGIN_UID_LABEL } from '../core/labels.ts';
import type { PeerObject } from '../core/membership/peer-object.ts';
import {
  CLAIM_NAME_ANNOTATION,
  grantedBytes,
  KEEP_ANNOTATION,
  LEFT_AT_ANNOTATION,
  type PersistentVolume,
  type PersistentVolumeClaim,
  placeOfVolume,
  requestedBytes,
} from '../core/volume/volume-objects.ts';
import type { KubeClient } from '../kube/client.ts';
import { PEERS, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../kube/resources.ts';
import { explain } from './cluster.ts';

/** A volume whose data is not where its claim is. */
export interface ListedVolume {
  /** `here`: data of a peer's claim in this cluster; `there`: data of a claim of this cluster on a peer. */
  data: 'here' | 'there';
  /** Of the peer; the beginning of its ID where it is none any more. */
  peer: string;
  /** Namespace and name of the claim at its home. */
  claim: string;
  /** UID of that claim, by which commands know it. */
  uid: string;
  bytes: number;
  state: string;
  /** Since when its home has been no member. */
  leftAt?: string;
  /** Kept for as long as that is said. */
  kept?: boolean;
}

/** All of them, those here first. */
export async function listVolumes(client: KubeClient): Promise<ListedVolume[]> {
  try {
    const query = { labelSelector: ORIGIN_CLUSTER_LABEL };
    const [claims, volumes, peers] = await Promise.all([
      client.list<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, { query }),
      client.list<PersistentVolume>(PERSISTENT_VOLUMES),
      client.list<PeerObject>(PEERS),
    ]);
    const nameOf = (id: string): string =>
      peers.items.find(({ spec }) => spec.id === id)?.metadata.name ?? id.slice(0, 12);
    const here = claims.items.map((claim) => guestVolume(claim, nameOf));
    const there = volumes.items.flatMap((volume) => ownVolume(volume, nameOf));
    return [...here, ...there].sort((a, b) => a.data.localeCompare(b.data) || a.claim.localeCompare(b.claim));
  } catch (error) {
    throw explain(error);
  }
}

function guestVolume(claim: PersistentVolumeClaim, nameOf: (id: string) => string): ListedVolume {
  const { labels = {}, annotations = {}, deletionTimestamp } = claim.metadata;
  const leftAt = annotations[LEFT_AT_ANNOTATION];
  return {
    data: 'here',
    peer: nameOf(labels[ORIGIN_CLUSTER_LABEL] ?? ''),
    claim: `${labels[ORIGIN_NAMESPACE_LABEL] ?? ''}/${annotations[CLAIM_NAME_ANNOTATION] ?? ''}`,
    uid: labels[ORIGIN_UID_LABEL] ?? '',
    bytes: Math.max(grantedBytes(claim), requestedBytes(claim)),
    state: deletionTimestamp === undefined ? (claim.status?.phase ?? 'Pending') : 'Terminating',
    ...(leftAt === undefined ? {} : { leftAt }),
    ...(annotations[KEEP_ANNOTATION] === 'true' ? { kept: true } : {}),
  };
}

function ownVolume(volume: PersistentVolume, nameOf: (id: string) => string): ListedVolume[] {
  const place = placeOfVolume(volume);
  if (place === undefined) return [];
  const { claimRef, capacity } = volume.spec;
  return [
    {
      data: 'there',
      peer: nameOf(place.peerId),
      claim: `${claimRef?.namespace ?? ''}/${claimRef?.name ?? ''}`,
      uid: place.uid,
      bytes: grantedBytes({ metadata: volume.metadata, spec: {}, status: { capacity: capacity ?? {} } }),
      state: volume.status?.phase ?? 'Pending',
    },
  ];
}

/** Has data of a former member kept for as long as nobody says otherwise, or ends that. @param uid or its beginning */
export async function keepVolume(client: KubeClient, uid: string, kept: boolean): Promise<ListedVolume> {
  const claim = await guestClaim(client, uid);
  const { namespace, name } = claim.metadata;
  const patch = { metadata: { annotations: { [KEEP_ANNOTATION]: kept ? 'true' : null } } };
  const after = await client.patch<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, { namespace, name }, patch);
  return guestVolume(after, (id) => id.slice(0, 12));
}

/** Deletes data of a former member. Throws FailedPrecondition for one of a member, unless forced. */
export async function deleteVolume(client: KubeClient, uid: string, force: boolean): Promise<ListedVolume> {
  const claim = await guestClaim(client, uid);
  const listed = guestVolume(claim, (id) => id.slice(0, 12));
  if (listed.leftAt === undefined && !force)
    throw new CodedError(
      'FailedPrecondition',
      `volume ${uid} is of a member, whose pods may use it; its home deletes it with its claim, and --force does it here`,
    );
  const { namespace, name, uid: own } = claim.metadata;
  await client.delete(PERSISTENT_VOLUME_CLAIMS, { namespace, name }, own === undefined ? {} : { uid: own });
  return listed;
}

const SHORTEST_UID = 6;

async function guestClaim(client: KubeClient, uid: string): Promise<PersistentVolumeClaim> {
  const query = { labelSelector: ORIGIN_CLUSTER_LABEL };
  const { items } = await client.list<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, { query });
  const found = items.filter(({ metadata }) => metadata.labels?.[ORIGIN_UID_LABEL]?.startsWith(uid) === true);
  const [one] = found;
  if (uid.length >= SHORTEST_UID && one !== undefined && found.length === 1) return one;
  const what =
    found.length > 1 ? `${found.length} volumes begin with ${uid}` : `there is no volume ${uid} of another member here`;
  throw new CodedError(
    'NotFound',
    `${what}; headcut volumes lists them, and ${SHORTEST_UID} characters of a UID are enough`,
  );
}
