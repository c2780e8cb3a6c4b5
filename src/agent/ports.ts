/**
 * The ports between the agent's features. A feature names here what it gives to others; compose.ts connects them.
 * (Features never import each other; see src/README.md.) What they see of peers is in peering/ports.ts.
 */

import type { Readable } from 'node:stream';
import type { PodSubmission, PodVerdict } from '../core/exchange/pod-submission.ts';
import type { PodClaim } from '../core/exchange/volume.ts';
import type { ConfigObject, Pod } from '../core/kube-objects.ts';
import type { Beliefs, Told } from '../core/membership/judge-record.ts';
import type { LastWord } from '../core/membership/last-word.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import type { RecordDecision } from '../core/membership/roster.ts';
import type { HomeService } from '../core/network/guest-homes.ts';
import type { RemotePodStats } from '../core/pod-stats/summary.ts';
import type { ObjectReference } from '../core/reflection/references.ts';
import type { SentService, ServiceProblem } from '../core/service/sent-service.ts';
import type { ShadowPod } from '../core/shadow-pod/shadow-pod.ts';
import type { KubeClient } from '../kube/client.ts';
import type { UpgradeRequest, UpgradeResponse } from '../peering/pod-stream.ts';

export type { UpgradeRequest, UpgradeResponse } from '../peering/pod-stream.ts';
export type {
  PeerChange,
  PeerInspection,
  PeerInspector,
  PeerLink,
  PeerLinks,
  PeerState,
  Roster,
} from '../peering/ports.ts';

/** The Services that have to be on a peer before a pod starts there. */
export interface ServiceSource {
  /** `unknown`: not yet; `told`: the peer has them, or gets them on their own. */
  servicesFor(peerId: string, namespace: string): SentService[] | 'told' | 'unknown';
}

/** The identity of this member. */
export interface OwnIdentity {
  id: string;
  record(): PeerRecord;
}

/** This member's own record as others know it, and what may become of it. Implemented by the identity feature. */
export interface OwnMember extends OwnIdentity {
  onChange(listener: () => void): void;
  /** The last word: this member is none any more. */
  leave(): Promise<void>;
  /** Others know this record of it, which its own key or a later one signed. @param now monotonic ms */
  hear(record: PeerRecord, now: number): Promise<void>;
}

/** The members, for those who tell others of them. Implemented by membership, used by the roster feature. */
export interface MembersToTell {
  /** Records of the other members that can be used, by ID. */
  records(): ReadonlyMap<string, PeerRecord>;
  readonly removed: {
    /** The last words of those who left lately. */
    left(): PeerRecord[];
    /** Of all that left. */
    lastWords(): LastWord[];
    /** The first of those that are gone by whose word a gone one came in. */
    originOf(id: string): string | undefined;
  };
  /** Whether this member passes on the word of somebody who is a member no more, or whose word cannot be verified. */
  mayVouchFor(record: PeerRecord): boolean;
  /** IDs of those of whom nothing is believed. */
  refused(): Iterable<string>;
  /** A member came, went or changed. @param listener `gone`: the ID of one that went */
  onChange(listener: (gone: string | undefined) => void): void;
}

/** The members, for those who hear of them. Implemented by membership, used by the roster feature. */
export interface MembersToHear {
  readonly beliefs: Beliefs;
  /** What decides and writes goes one after the other, or two tellers of one newcomer would make two objects. */
  serially<T>(work: () => Promise<T>): Promise<T>;
  /** Carries out what was decided; what it changes is in `beliefs` when it returns. */
  carryOut(decision: RecordDecision, told: Told): Promise<void>;
  /** For who is in `serially` already: takes in all that somebody tells whom this cluster trusts. */
  takeWanted(records: readonly PeerRecord[], from: string): Promise<void>;
}

/** API access as the node identity of a virtual node (system:node:headcut-NAME). */
export interface NodeIdentities {
  /** The client for a virtual node; undefined until its certificate is there. */
  client(virtualNode: string): KubeClient | undefined;
  onReady(listener: (virtualNode: string) => void): void;
}

/** The virtual nodes of this cluster. */
export interface VirtualNodes {
  /** The peer that a node name stands for; undefined when it is no virtual node of ours. */
  peerOf(nodeName: string): string | undefined;
  nameFor(peerId: string): string | undefined;
  readonly rooms: RoomBelief;
}

/** How far the room that peers offer is believed, by what became of the pods that they were sent. */
export interface RoomBelief {
  /** `closed`: its node shows no room; `trial`: that for one pod. */
  state(peerId: string): 'open' | 'closed' | 'trial';
  /** A refusal for want of room. */
  refused(peerId: string, requests: Record<string, string>): void;
  /** A pod that the peer had taken failed there without its containers, or was gone. */
  lost(peerId: string): void;
  /** A pod stays there that it took at that time (monotonic ms). */
  kept(peerId: string, takenAt: number): void;
}

/** Room on this cluster, given out without double counting. Implemented by the offer feature, used by the provider side. */
export interface Admission {
  /** Holds room for a pod until it shows up among the cluster's pods, or is released. Same pod again: same answer, held once. */
  reserve(uid: string, pod: Pod, peerId: string): { ok: true } | { ok: false; reason: string; message: string };
  release(uid: string, peerId: string): void;
}

/** Whether fenced pods of consumers may run here. Implemented by the fencing feature, used by the provider side. */
export interface PodLeases {
  /** Gets the consent of a pod's home, before the pod is made. Throws Unavailable. */
  ensure(consumer: string): Promise<void>;
  /** True while a pod may be there. One that is not fenced always may. */
  mayRun(shadow: ShadowPod): boolean;
  /** True while the containers of a pod that is there may start: also who stops it when the agent cannot knows it. */
  mayStart(shadow: ShadowPod): boolean;
  /** Has this pod killed, which should have ended by now: a kubelet that waits for its end does not hear of a shorter time. */
  kill(shadow: ShadowPod, podUid: string): void;
  /** True for a pod that has to stop, and to stay so. */
  isFenced(shadow: ShadowPod): boolean;
  /** Called with the key of a shadow pod whose time is over, or that may run again. */
  onChange(listener: (key: string) => void): void;
}

/** Whether the homes of pods that run here are there. Implemented by the consumer-lost feature, used by the provider side. */
export interface HomeContact {
  /** How long (ms) a cluster has been out of contact; undefined while it is in contact. */
  lostForMs(cluster: string): number | undefined;
  /** How long (ms) a cluster has been no member; undefined while it is one, or members are not known yet. */
  goneForMs(cluster: string): number | undefined;
  /** Called with the ID of a cluster that was lost, is gone, or is back. */
  onChange(listener: (cluster: string) => void): void;
}

/** The consumer's side of fencing. Implemented by the fencing feature, used by offloading and failover. */
export interface PodFencing {
  /** How long (ms) this cluster may be out of contact before the pod's provider stops it; undefined for one that is not fenced. */
  afterMs(pod: Pod): number | undefined;
  /** How long (ms) it takes until the pod is sure to have stopped on a peer out of contact, 0 when it has; undefined as above. */
  stoppedInMs(pod: Pod, peerId: string): number | undefined;
  /**
   * To be asked right before the place of a pod on a peer out of contact is given to another. True: it is not fenced, or has stopped,
   * and the peer does not get consent to it any more. False: the peer was heard meanwhile.
   */
  letGo(pod: Pod, peerId: string): boolean;
}

/** Addresses of pods, as seen from this cluster and from others. Implemented by the network feature. */
export interface PodAddresses {
  /** False until it is known which addresses there are: until then a missing one proves nothing. */
  readonly synced: boolean;
  /** The address by which other members reach a pod of this cluster; undefined while there is no network between clusters. */
  toImage(local: string): string | undefined;
  /** The address here of a pod of ours that others know by `image`; undefined when it is no image of ours. */
  toLocal(image: string): string | undefined;
  /** The ID of the member in whose claim an image lies; undefined when it is in nobody's. */
  memberOf(image: string): string | undefined;
  onChange(listener: () => void): void;
}

/** Addresses of peers' pods, as they are shown on this cluster. Implemented by the network feature. */
export interface PeerAddresses {
  /**
   * The address here of a pod that its peer knows by `local`. `null` when it has none here; undefined while that is not known
   * yet, and what is shown stays.
   */
  imageOf(peerId: string, local: string): string | null | undefined;
  onChange(listener: (peerId: string) => void): void;
}

/** The pods of Services that this cluster exports, by their addresses here. Implemented by the sharing feature, used by the network. */
export interface ExportedAddresses {
  has(namespace: string, address: string): boolean;
  /** The same whatever the namespace. */
  hasAddress(address: string): boolean;
  /** All of them, sorted. */
  all(): string[];
  onChange(listener: () => void): void;
}

/** A pod of a peer that runs here, by its address here. */
export interface GuestAddress {
  member: string;
  address: string;
}

/**
 * Addresses as pods of a peer that run here know them from their home, as far as packets of that pod are led by them now. Implemented by
 * the network feature.
 */
export interface HomeAddresses {
  /** The address there of what has this one here; the same one where it means the same, or where nothing is translated. */
  toHome(guest: GuestAddress, here: string): string;
  /** The address here of what has this one there. */
  toHere(guest: GuestAddress, there: string): string;
}

/** The Services of peers by the addresses that they have at home. Implemented by the service feature, used by the network. */
export interface HomeServices {
  /** Until then they look as if nothing were behind them. */
  whenSynced(): Promise<void>;
  /** Sorted. */
  servicesOf(member: string): readonly HomeService[];
  /** Addresses of Services here that are for pods of all peers. */
  local(): string[];
  onChange(listener: () => void): void;
}

/** A pod of a peer that runs here, as its home knows it. */
export interface OffloadedPod {
  cluster: string;
  namespace: string;
  uid: string;
}

/** Who asks, when a pod of a peer that runs here asks this agent for something over the network. */
export interface OffloadedPods {
  /** The pod with this address; waits a moment for pods that just started. */
  find(address: string): Promise<OffloadedPod | undefined>;
  /** The twin namespace here of a namespace of that cluster, while there is one. */
  twinOf(cluster: string, namespace: string): string | undefined;
  /** The namespace of that cluster of which this is the twin. */
  namespaceOf(cluster: string, twin: string): string | undefined;
}

/** The Services of peers on this cluster. */
export interface KnownNames {
  /** In how many ms a Service (NAMESPACE/NAME) can be used: 0 for one that has been there a while, undefined for one that is not there. */
  usableInMs(service: string): number | undefined;
}

/** Volumes that pods of peers use here. Implemented by the guest-volume feature, used by the provider side. */
export interface GuestVolumeDesk {
  /** A twin namespace with data in it is not removed. */
  holdsData(twin: string): boolean;
  /** Twin namespaces of a member that hold data. */
  twinsOf(peerId: string): string[];
  /** Why a pod cannot have these claims here; undefined when it can. */
  refusalOf(
    peerId: string,
    twin: string,
    pod: { namespace: string; claims: readonly PodClaim[] },
  ): Extract<PodVerdict, { accepted: false }> | undefined;
}

/** What the provider feature does for a peer. Implemented by the shadow-pod feature. */
export interface PodProvider {
  submit(peerId: string, uid: string, submission: PodSubmission): Promise<PodVerdict>;
  /** Takes some of what a pod names, which comes within a minute. */
  sendAhead(peerId: string, uid: string, submission: PodSubmission): Promise<PodVerdict>;
  /** Makes the real pod what its owner made of it. */
  update(peerId: string, uid: string, pod: Pod): Promise<void>;
  delete(peerId: string, uid: string, gracePeriodSeconds: number | undefined): Promise<void>;
  /** @param gone those that are no more at home */
  updateObjects(
    peerId: string,
    namespace: string,
    objects: ConfigObject[],
    gone?: readonly ObjectReference[],
  ): Promise<void>;
  /** Where the real pod is; throws NotFound when this peer has no such pod here. */
  locate(peerId: string, uid: string): { namespace: string; name: string };
}

/** What the provider side of Services does for a peer. */
export interface ServiceMirrorDesk {
  /** Makes the Services in the twin of this namespace equal to these; gives those where that is not possible. */
  update(peerId: string, namespace: string, services: SentService[]): Promise<ServiceProblem[]>;
  /** The same for a twin that is about to get its first pod. Never throws: a pod starts also without Services. */
  prepare(peerId: string, namespace: string, services: SentService[]): Promise<void>;
}

/** What the real pods of a peer use. Implemented by the pod-stats feature. */
export interface PodStatsSource {
  statsFor(peerId: string, options: { onlyCpuAndMemory: boolean }): Promise<RemotePodStats[]>;
}

/** Logs and streams of real pods on this cluster. */
export interface PodStreams {
  logs(
    pod: { namespace: string; name: string },
    container: string,
    query: URLSearchParams,
    signal: AbortSignal,
  ): Promise<Readable>;
  upgrade(pod: { namespace: string; name: string }, request: UpgradeRequest): Promise<UpgradeResponse>;
}
