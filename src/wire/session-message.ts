import type { PeerRecord } from '../core/membership/peer-record.ts';
import type { Offer } from '../core/offer/offer.ts';
import type { RemotePod } from '../core/offloading/pod-submission.ts';

/**
 * The messages of a session: the stream (one JSON object a line) that a provider keeps open to each peer that asks for it.
 * It starts with `hello`, then the roster, the offer and all pods of that peer; changes follow as they happen.
 * A `heartbeat` comes at least every second; silence means that the peer, or the way to it, is in trouble.
 */
export type SessionMessage =
  | { type: 'hello'; id: string; protocol: number; version: string }
  | { type: 'roster'; records: PeerRecord[] }
  /** Instead of the roster, for peers that ask for it: whether theirs is another one (core/membership/roster-digest). */
  | { type: 'roster-digest'; digest: string }
  | { type: 'offer'; offer: Offer }
  /** All offloaded pods of this consumer; what is missing does not exist here. Only sent when the provider's caches are warm. */
  | { type: 'pods'; pods: RemotePod[] }
  | { type: 'pod'; pod: RemotePod }
  /** The pod with this UID is gone from the provider, with everything that belonged to it. */
  | { type: 'pod-gone'; uid: string }
  /** `now`: by the teller's clock, in ms since 1970. */
  | { type: 'heartbeat'; now?: number }
  /** The members that the teller reaches directly, with round-trip times in ms: ways to them when the own one is cut. */
  | { type: 'reach'; members: Record<string, number> }
  /** What changed about that, for peers that ask for it: who is reached since, and who no more. */
  | { type: 'reach-change'; reached: Record<string, number>; lost: string[] }
  /** The agent stops on purpose and means to be back soon. */
  | { type: 'bye' };

/** Sent by the server at least this often. */
export const HEARTBEAT_INTERVAL_MS = 1_000;
