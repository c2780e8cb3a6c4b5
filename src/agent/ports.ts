/**
 * The ports between the agent's features. A feature names here what it gives to others; compose.ts connects them.
 * (Features never import each other; see src/README.md.)
 */
import type { Duplex, Readable } from 'node:stream';
import type { EndpointReach, PeerDiagnosis } from '../core/diagnosis/diagnosis.ts';
import type { ConfigObject, Pod } from '../core/kube-objects.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import type { RosterVersions } from '../core/membership/roster-digest.ts';
import type { Offer } from '../core/offer/offer.ts';
import type { PodSubmission, PodVerdict, RemotePod } from '../core/offloading/pod-submission.ts';
import type { RemotePodStats } from '../core/pod-stats/summary.ts';
import type { SentService, ServiceProblem } from '../core/service/sent-service.ts';
import type { ShadowPod } from '../core/shadow-pod/shadow-pod.ts';
import type { KubeClient } from '../kube/client.ts';
import type { PeerConnection } from '../wire/peer-connection.ts';

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
  /** New contents of objects that pods of a consumer namespace reference there. */
  updateObjects(namespace: string, objects: ConfigObject[], signal?: AbortSignal): Promise<void>;
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
  updateObjects(peerId: string, namespace: string, objects: ConfigObject[]): Promise<void>;
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

/** The Services that have to be on a peer before a pod starts there. */
export interface ServiceSource {
  /** `unknown`: not yet; `told`: the peer has them, or gets them on their own. */
  servicesFor(peerId: string, namespace: string): SentService[] | 'told' | 'unknown';
}

/** What the real pods of a peer use. Implemented by the pod-stats feature, used by the peer server. */
export interface PodStatsSource {
  statsFor(peerId: string, options: { onlyCpuAndMemory: boolean }): Promise<RemotePodStats[]>;
}

/** The identity of this member. */
export interface OwnIdentity {
  id: string;
  record(): PeerRecord;
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
  /** A refusal for want of room: show less until the next offer. */
  shrink(peerId: string, requests: Record<string, string>): void;
}

/** Room on this cluster, given out without double counting. Implemented by the offer feature, used by the provider side. */
export interface Admission {
  /** Holds room for a pod until it shows up among the cluster's pods, or is released. Same UID again: same answer, held once. */
  reserve(uid: string, pod: Pod, peerId: string): { ok: true } | { ok: false; reason: string; message: string };
  release(uid: string): void;
}

/** Whether fenced pods of consumers may run here. Implemented by the fencing feature, used by the provider side. */
export interface PodLeases {
  /** Gets the consent of a pod's home, before the pod is made. Throws Unavailable. */
  ensure(consumer: string): Promise<void>;
  /** True while a pod may be there. One that is not fenced always may. */
  mayRun(shadow: ShadowPod): boolean;
  /** True while the containers of a pod that is there may start: also who stops it when the agent cannot knows it. */
  mayStart(shadow: ShadowPod): boolean;
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
  tell(records: PeerRecord[], from: string): Promise<void>;
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
