import type { Duplex, Readable } from 'node:stream';
import type { Offer } from '../core/exchange/offer.ts';
import type { RemotePod } from '../core/exchange/pod-submission.ts';
import type { QueryOf, ReplyOf, RequestOf } from '../wire/definition.ts';
import type { ENDPOINTS, JOIN, POD_STREAM, STREAMS } from '../wire/endpoints.ts';
import type { UpgradeResponse } from './pod-stream.ts';

/**
 * What serves the calls of members, by the names in wire/endpoints. Features make the parts and compose.ts puts them together: one
 * that is missing, or does not fit its definition, does not compile.
 */

export type Calls = typeof ENDPOINTS;
export type CallName = keyof Calls;

/** The calls that are answered with JSON. */
export type JsonCall = { [Name in CallName]: Calls[Name]['reply'] extends string ? never : Name }[CallName];
/** The calls that are answered with bytes that stream. */
export type BytesCall = { [Name in CallName]: Calls[Name]['reply'] extends 'bytes' ? Name : never }[CallName];

export interface Caller {
  /** The member that calls, by the certificate of its connection. */
  peerId: string;
  /** Aborts when the caller is gone. */
  signal: AbortSignal;
}

type HandlerOf<Name extends CallName> = (
  request: RequestOf<Calls[Name]> & Caller,
) => Name extends BytesCall ? Promise<Readable> : ReplyOf<Calls[Name]> | Promise<ReplyOf<Calls[Name]>>;

/** What answers calls. Throws CodedError to refuse. */
export type CallHandlers = { [Name in JsonCall | BytesCall]: HandlerOf<Name> };

export type StreamName = keyof typeof STREAMS;

/** Serves a raw stream that a peer opens. Throws CodedError to refuse it, else takes over the stream that `accept` gives. */
export type StreamHandler<Name extends StreamName> = (request: {
  peerId: string;
  query: QueryOf<(typeof STREAMS)[Name]>;
  accept(): Duplex;
}) => void | Promise<void>;

/** The streams that peering serves itself. */
type OwnStream = 'relay' | 'relayed';
export type StreamHandlers = { [Name in Exclude<StreamName, OwnStream>]: StreamHandler<Name> };

/** Serves exec, attach and port-forward. */
export type PodStreamHandler = (
  request: RequestOf<typeof POD_STREAM> & Caller & { method: string; rawHeaders: string[] },
) => Promise<UpgradeResponse>;

/** The provider's side of a session with one peer: what it is told of offers and pods. */
export interface SessionSource {
  offerFor(peerId: string): Offer | undefined;
  /** undefined while caches are cold. */
  podsFor(peerId: string): RemotePod[] | undefined;
  podFor(peerId: string, uid: string): RemotePod | undefined;
  onChange(listener: (peerId: string | 'all', change: 'offer' | 'pods' | { podUid: string }) => void): void;
}

export type JoinRequest = RequestOf<typeof JOIN>['body'];
export type JoinReply = ReplyOf<typeof JOIN>;

/** All that this member serves to others. */
export interface Serving {
  calls: CallHandlers;
  streams: StreamHandlers;
  podStream: PodStreamHandler;
  source: SessionSource;
  join(request: JoinRequest): Promise<JoinReply>;
}
