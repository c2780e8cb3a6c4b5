/** What features see of peers, and what peering asks of features that serve peers. */

import type { Duplex, Readable } from 'node:stream';
import type { EndpointReach, PeerDiagnosis } from '../core/diagnosis/diagnosis.ts';
import type { ConfigObject, Pod } from '../core/kube-objects.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import type { RosterVersions } from '../core/membership/roster-digest.ts';
import type { Offer } from '../core/offer/offer.ts';
import type { PodSubmission, PodVerdict, RemotePod } from '../core/offloading/pod-submission.ts';
import type { RemotePodStats } from '../core/pod-stats/summary.ts';
import type { ObjectReference } from '../core/reflection/references.ts';
import type { SentService, ServiceProblem } from '../core/service/sent-service.ts';
import type { PeerConnection } from './peer-connection.ts';

export type PeerState = 'Connected' | 'Suspect' | 'Unreachable' | 'Left';

/** What the consumer side knows of one peer and can ask of it. Made by the membership feature; one per peer, lives as long as the peer does. */
export interface PeerLink {
  readonly id: string;
  /** Current name (may change). */
  readonly name: string;
  readonly state: PeerState;
  /** Last offer received in this process; kept while the peer is unreachable. */
  readonly offer: Offer | undefined;
  /** Our pods there, by UID. */
  readonly pods: ReadonlyMap<string, RemotePod>;
  /** True while connected and after the full list of pods arrived in this connection: only then absence proves anything. */
  readonly podsSynced: boolean;
  /** Calls of the wire protocol; throw CodedError (`Unavailable` when the peer cannot be reached). */
  submitPod(uid: string, submission: PodSubmission, signal?: AbortSignal): Promise<PodVerdict>;
  /** What changed of a pod there: labels, images, resources, debuggers. Throws Forbidden or InvalidArgument when it is refused. */
  updatePod(uid: string, pod: Pod, signal?: AbortSignal): Promise<void>;
  deletePod(uid: string, gracePeriodSeconds: number | undefined, signal?: AbortSignal): Promise<void>;
  /** New contents of objects that pods of a consumer namespace reference there, and those of them that are no more. */
  updateObjects(
    namespace: string,
    objects: ConfigObject[],
    gone?: readonly ObjectReference[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** All Services of a consumer namespace that has pods there; gives those that the peer could not take over. */
  updateServices(namespace: string, services: SentService[], signal?: AbortSignal): Promise<ServiceProblem[]>;
  /** `query`: follow, previous, tailLines, sinceSeconds, sinceTime, timestamps, limitBytes as the kubelet API names them. */
  streamLogs(uid: string, container: string, query: URLSearchParams, signal: AbortSignal): Promise<Readable>;
  /**
   * Asks whether these fenced pods (UIDs) of the peer may go on here; throws when it does not say yes in time.
   * @returns those that may not: the peer has no such pods any more
   */
  renewLease(pods: readonly string[], signal: AbortSignal): Promise<string[]>;
  /** What our pods there use. */
  readStats(options: { onlyCpuAndMemory: boolean }, signal?: AbortSignal): Promise<RemotePodStats[]>;
  /** A raw stream to the part of the peer's agent that serves `name` (PeerStreamServer); throws CodedError when it refuses. */
  openStream(name: string, query: URLSearchParams, signal: AbortSignal): Promise<Duplex>;
  /** As openStream, on a connection of its own, for much data; throws Unavailable where the peer cannot be reached directly. */
  openDirectStream(name: string, query: URLSearchParams, signal: AbortSignal): Promise<Duplex>;
  /** Opens the TLS connection's raw upgrade for exec, attach and portForward: see UpgradeRequest. */
  upgrade(uid: string, request: UpgradeRequest): Promise<UpgradeResponse>;
}

export interface UpgradeRequest {
  method: string;
  action: 'exec' | 'attach' | 'portforward';
  container: string | undefined;
  /** In the API server's names: command, stdin, stdout, stderr, tty, ports. */
  query: URLSearchParams;
  /** Upgrade, Connection, X-Stream-Protocol-Version, Sec-WebSocket-*: raw pairs as node gives them (name, value, name, value …). */
  rawHeaders: string[];
}

export type UpgradeResponse =
  | { upgraded: true; status: number; rawHeaders: string[]; socket: Duplex; head: Buffer }
  | { upgraded: false; status: number; body: string; contentType: string };

export type PeerChange = 'added' | 'removed' | 'state' | 'offer' | { podUid: string } | 'pods';

/** All peers, and what changes about them. */
export interface PeerLinks {
  get(id: string): PeerLink | undefined;
  list(): PeerLink[];
  /** False until the stored peers were read: until then a missing peer proves nothing. */
  readonly synced: boolean;
  onChange(listener: (id: string, change: PeerChange) => void): void;
}

/** The provider side of a session with one peer: what is sent to it. Implemented by offer and provider features, used by the peer server. */
export interface SessionSource {
  offerFor(peerId: string): Offer | undefined;
  /** undefined while caches are cold. */
  podsFor(peerId: string): RemotePod[] | undefined;
  podFor(peerId: string, uid: string): RemotePod | undefined;
  onChange(listener: (peerId: string | 'all', change: 'offer' | 'pods' | { podUid: string }) => void): void;
}

/** What the peer server asks the provider feature to do, each for an authenticated peer. */
export interface PodProvider {
  submit(peerId: string, uid: string, submission: PodSubmission): Promise<PodVerdict>;
  /** Makes the real pod what its owner made of it. */
  update(peerId: string, uid: string, pod: Pod): Promise<void>;
  delete(peerId: string, uid: string, gracePeriodSeconds: number | undefined): Promise<void>;
  updateObjects(
    peerId: string,
    namespace: string,
    objects: ConfigObject[],
    gone?: readonly ObjectReference[],
  ): Promise<void>;
  /** Where the real pod is; throws NotFound when this peer has no such pod here. */
  locate(peerId: string, uid: string): { namespace: string; name: string };
}

/** What the peer server asks the provider side of Services to do for an authenticated peer. */
export interface ServiceMirrorDesk {
  /** Makes the Services in the twin of this namespace equal to these; gives those where that is not possible. */
  update(peerId: string, namespace: string, services: SentService[]): Promise<ServiceProblem[]>;
  /** The same for a twin that is about to get its first pod. Never throws: a pod starts also without Services. */
  prepare(peerId: string, namespace: string, services: SentService[]): Promise<void>;
}

/** What the real pods of a peer use. Implemented by the pod-stats feature, used by the peer server. */
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

/**
 * Serves raw streams of one name that peers open (PeerLink.openStream). Called once the peer was authenticated; throws
 * CodedError to refuse, else takes over the stream that `accept` gives.
 */
export type PeerStreamServer = (request: {
  peerId: string;
  query: URLSearchParams;
  accept(): Duplex;
}) => void | Promise<void>;

/** The members of the federation as the peer server needs them. */
export interface Roster {
  /** Records of all members, the own one included. */
  records(): PeerRecord[];
  /** What members tell each other: all members, and the last words of those who left. */
  told(): PeerRecord[];
  /** Says whether another member knows the same (core/membership/roster-digest). */
  digest(): string;
  /** What a member that has these versions lacks. */
  missingFrom(versions: RosterVersions): PeerRecord[];
  /** Takes over what a member told; unknown members need a voucher. */
  tell(records: PeerRecord[], from: string): Promise<unknown>;
  /** A newcomer that spent an invitation: vouched for and stored. */
  admit(record: PeerRecord): Promise<void>;
  onChange(listener: () => void): void;
}

/** Where connections that members opened to us go. Implemented by membership. */
export interface PeerConnections {
  accept(connection: PeerConnection): void;
  /** The members that we reach directly, by ID, with round-trip times in ms: what others may want to go through us for. */
  reach(): Record<string, number>;
  onReachChange(listener: () => void): void;
}

/** Serves the streams that a peer opens on its connection, whoever dialled that. Implemented by the peer server. */
export interface PeerServing {
  serve(peerId: string, stream: Duplex): void;
}

/** What is known of the way to one peer. */
export interface PeerInspection
  extends Pick<PeerDiagnosis, 'name' | 'state' | 'version' | 'clockSkewMs' | 'via' | 'openedBy'> {
  id: string;
}

/** The ways to peers, for people who look for a fault. Implemented by membership, used by the diagnosis feature. */
export interface PeerInspector {
  list(): PeerInspection[];
  /** Opens a connection to each endpoint of a peer, and closes it. */
  reach(peerId: string, signal: AbortSignal): Promise<EndpointReach[]>;
  /** Has the peer do the same with our endpoints; throws CodedError when it cannot be asked. */
  askReach(peerId: string, signal: AbortSignal): Promise<EndpointReach[]>;
}
