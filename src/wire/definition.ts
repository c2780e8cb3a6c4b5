import type { Static, TObject, TSchema } from 'typebox';
import type { ErrorCode } from '../core/coded-error.ts';

/**
 * How something that two members say to each other is defined: once, as a value from which its types, its checks, its bounds, its
 * page in docs/wire.md and the tests with garbage are made.
 */

/** How often a member may ask for something: each call takes `cost` tokens of the caller's bucket. */
export interface CallBounds {
  /** Tokens that a call takes of its caller's bucket. */
  cost: number;
  /** The largest body in bytes; absent where there is none. */
  bodyBytes?: number;
  /** So many calls of one member at a time, where they stay open; more are refused. */
  atOnce?: number;
}

/** One call: HTTP/1.1 over a stream of a peer connection. */
export interface CallDefinition extends CallBounds {
  /** What it is for, for docs/wire.md. */
  purpose: string;
  /** The first protocol version that knows it. */
  since: number;
  method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** With `:name` for each parameter. */
  path: string;
  params?: TObject;
  /** Texts, numbers and booleans; unknown names are overlooked. `kubernetes`: what the Kubernetes API of the callee judges, as it is. */
  query?: TObject | 'kubernetes';
  body?: TSchema;
  /** What comes back: JSON, raw bytes that stream, or the messages of a session. */
  reply: TSchema | 'bytes' | 'messages';
  /** The largest reply in bytes; absent where it streams. */
  replyBytes?: number;
  /** The caller gives up when no reply came within this time; absent where it streams. */
  withinMs?: number;
  /** Errors beside the common ones that callers act upon. */
  errors: readonly ErrorCode[];
}

/** Errors that any call may end with. */
export const COMMON_ERRORS: readonly ErrorCode[] = [
  'InvalidArgument',
  'Unauthenticated',
  'ResourceExhausted',
  'Unavailable',
  'Internal',
];

/** A raw stream between two agents, named in the path of an upgrade. */
export interface StreamDefinition extends CallBounds {
  purpose: string;
  since: number;
  query: TObject;
  errors: readonly ErrorCode[];
}

/** An upgrade whose bytes pass untouched, in the method and headers of the client. */
export interface PodStreamDefinition extends CallBounds {
  purpose: string;
  since: number;
  path: string;
  params: TObject;
  query: 'kubernetes';
  errors: readonly ErrorCode[];
}

/** A message of a session: one JSON object a line, with its name as `type`. */
export interface MessageDefinition {
  purpose: string;
  since: number;
  /** What it says beside its type; more fields pass, from newer members. */
  fields: TObject;
}

/** What of a definition describes a request. */
export interface Asked {
  params?: TObject;
  query?: TObject | 'kubernetes';
  body?: TSchema;
}

type Part = 'params' | 'query' | 'body';

/** The type of a part of a request, as its definition says. */
type PartOf<D, P extends Part> = D extends { [key in P]: infer S }
  ? S extends 'kubernetes'
    ? URLSearchParams
    : S extends TSchema
      ? Static<S>
      : never
  : undefined;

/** A request as whoever serves it gets it: checked, and typed by the definition. */
export interface RequestOf<D> {
  params: PartOf<D, 'params'>;
  query: PartOf<D, 'query'>;
  body: PartOf<D, 'body'>;
}

type Needed<D, P extends Part> = D extends { [key in P]: unknown } ? P : never;

/** A request as whoever makes it gives it: only the parts that the definition has. */
export type ArgumentsOf<D> = Pick<RequestOf<D>, Needed<D, 'params'> | Needed<D, 'query'> | Needed<D, 'body'>>;

/** The query of a raw stream. */
export type QueryOf<D> = RequestOf<D>['query'];

/** The JSON that answers a call; never for one whose answer streams. */
export type ReplyOf<D> = D extends { reply: infer S }
  ? S extends string
    ? never
    : S extends TSchema
      ? Static<S>
      : never
  : never;
