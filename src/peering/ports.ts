/** What the rest of the agent sees of peers, and what peering asks of it. */

import type { Duplex, Readable } from 'node:stream';
import type { EndpointReach, PeerDiagnosis } from '../core/diagnosis/diagnosis.ts';
import type { Offer } from '../core/exchange/offer.ts';
import type { RemotePod } from '../core/exchange/pod-submission.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import type { ArgumentsOf, QueryOf, ReplyOf } from '../wire/definition.ts';
import type { STREAMS } from '../wire/endpoints.ts';
import type { UpgradeRequest, UpgradeResponse } from './pod-stream.ts';
import type { BytesCall, Calls, JsonCall, StreamName } from './serving.ts';

export type PeerState = 'Connected' | 'Suspect' | 'Unreachable' | 'Left';

/** One peer: what it is asked, and what it told. Lives as long as the peer is a member. */
export interface PeerLink {
  readonly id: string;
  /** The name of its Peer object: unique here and never changing, other than the member's own name. */
  readonly name: string;
  readonly state: PeerState;
  /** Last offer received in this process; kept while the peer is unreachable. */
  readonly offer: Offer | undefined;
  /** Our pods there, by UID. */
  readonly pods: ReadonlyMap<string, RemotePod>;
  /** True while connected and after the full list of pods arrived in this connection: only then absence proves anything. */
  readonly podsSynced: boolean;
  /** Whether it speaks this version of the protocol, or a later one; true while there is no connection. */
  speaks(protocol: number): boolean;
  /**
   * A call of wire/endpoints; what answers it is what the definition says. Throws CodedError that names the peer: what it refused,
   * `Unavailable` when it cannot be reached, `Internal` when it answered something else.
   */
  call<Name extends JsonCall>(
    name: Name,
    asked: ArgumentsOf<Calls[Name]>,
    signal?: AbortSignal,
  ): Promise<ReplyOf<Calls[Name]>>;
  /** A call whose answer are bytes that stream. */
  read<Name extends BytesCall>(name: Name, asked: ArgumentsOf<Calls[Name]>, signal: AbortSignal): Promise<Readable>;
  /** A raw stream to the part of the peer's agent that serves it; throws CodedError when it refuses. */
  stream<Name extends StreamName>(
    name: Name,
    query: QueryOf<(typeof STREAMS)[Name]>,
    signal: AbortSignal,
  ): Promise<Duplex>;
  /** The same on a connection of its own, for much data; throws Unavailable where the peer cannot be reached directly. */
  dedicatedStream: PeerLink['stream'];
  /** exec, attach or port-forward of a pod of ours there. */
  podStream(uid: string, request: UpgradeRequest): Promise<UpgradeResponse>;
}

/** What is known of the contact with a peer, for people and for those who look after it. */
export interface PeerStatus {
  /** Monotonic ms. */
  stateSince: number;
  /** Why the peer is not connected, for people. */
  problem: string | undefined;
  roundTripMs: number | undefined;
  /** ID of the member that carries the connection in use; undefined when it is direct, or when there is none. */
  via: string | undefined;
  /** The side that opened the connection in use. */
  openedBy: 'here' | 'there' | undefined;
  /** Of the peer's agent; undefined while there is no connection, or where it did not say. */
  version: string | undefined;
  /** How far its clock is ahead of ours. */
  clockSkewMs: number | undefined;
  /** A second agent with the peer's key came lately; that one tries again and again, as long as there is one. */
  cloned: boolean;
  /** The keys of both sides by which the connection in use was opened. */
  keyGenerations: { own: number; peer: number } | undefined;
  /** The latest generation of the own key that the peer accepted; -1 when that is not known in this life of the agent. */
  ownKeyProven: number;
}

export type PeerChange = 'added' | 'removed' | 'state' | 'offer' | { podUid: string } | 'pods';

/** All peers, and what changes about them. */
export interface PeerLinks {
  get(id: string): PeerLink | undefined;
  list(): PeerLink[];
  /** False until the stored peers were read: until then a missing peer proves nothing. */
  readonly synced: boolean;
  onChange(listener: (id: string, change: PeerChange) => void): void;
}

/** The members of the federation, as those who let them in and talk to them need them. Implemented by membership. */
export interface Roster {
  /** Records of all members, the own one included. */
  records(): PeerRecord[];
  /** What members tell each other: all members, and the last words of those who left. */
  told(): PeerRecord[];
  /** Says whether another member knows the same (core/membership/roster-digest). */
  digest(): string;
  onChange(listener: () => void): void;
}

/** Serves the streams that a peer opens on its connection, whoever dialled that. */
export interface PeerServing {
  serve(peerId: string, stream: Duplex): void;
}

/** What is known of the way to one peer. */
export interface PeerInspection
  extends Pick<PeerDiagnosis, 'name' | 'state' | 'version' | 'clockSkewMs' | 'via' | 'openedBy'> {
  id: string;
}

/** The ways to peers, for people who look for a fault.  */
export interface PeerInspector {
  list(): PeerInspection[];
  /** Opens a connection to each endpoint of a peer, and closes it. */
  reach(peerId: string, signal: AbortSignal): Promise<EndpointReach[]>;
  /** Has the peer do the same with our endpoints; throws CodedError when it cannot be asked. */
  askReach(peerId: string, signal: AbortSignal): Promise<EndpointReach[]>;
}
