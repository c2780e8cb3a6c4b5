import Type, { type Static } from 'typebox';
import type { MessageDefinition } from './definition.ts';
import { PeerRecords } from './member-schemas.ts';
import { Offer, RemotePod } from './pod-schemas.ts';
import { Digest, mapOf, Text, Timestamp, Uid } from './schemas.ts';

/**
 * The messages of a session: the stream (one JSON object a line) that a member keeps open to each peer that asks for it.
 * It starts with `hello`, then the roster, the offer and all pods of that peer; changes follow as they happen.
 */

/** IDs of members, with round-trip times in ms. */
const Reached = mapOf('^[a-z0-9-]{1,64}$', Type.Number({ minimum: 0, maximum: 3_600_000 }), 500);

export const MESSAGES = {
  hello: {
    purpose: 'The first message: who speaks, and how.',
    since: 1,
    fields: Type.Object({ id: Text, protocol: Type.Integer({ minimum: 1, maximum: 1_000_000 }), version: Text }),
  },
  roster: {
    purpose: 'All members that the teller knows, and the last words of those who left.',
    since: 1,
    fields: Type.Object({ records: PeerRecords }),
  },
  'roster-digest': {
    purpose:
      'Instead of the roster, for peers that ask for it: whether theirs is another one (core/membership/roster-digest).',
    since: 3,
    fields: Type.Object({ digest: Digest }),
  },
  offer: { purpose: 'What the hearer’s pods may use here.', since: 1, fields: Type.Object({ offer: Offer }) },
  pods: {
    purpose:
      'All offloaded pods of the hearer; what is missing does not exist here. In several messages for peers that ask for parts: each but the last one says `more`. Sent only while the teller knows all of them.',
    since: 1,
    fields: Type.Object({ pods: Type.Array(RemotePod), more: Type.Optional(Type.Literal(true)) }),
  },
  pod: { purpose: 'What became of one pod of the hearer.', since: 1, fields: Type.Object({ pod: RemotePod }) },
  'pod-gone': {
    purpose: 'The pod with this UID is gone from the provider, with everything that belonged to it.',
    since: 1,
    fields: Type.Object({ uid: Uid }),
  },
  heartbeat: {
    purpose:
      'At least every second; silence means that the peer, or the way to it, is in trouble. `now`: the teller’s clock.',
    since: 1,
    fields: Type.Object({ now: Type.Optional(Timestamp) }),
  },
  reach: {
    purpose:
      'The members that the teller reaches directly, with round-trip times in ms: ways to them when the own one is cut.',
    since: 1,
    fields: Type.Object({ members: Reached }),
  },
  'reach-change': {
    purpose: 'What changed about that, for peers that ask for it: who is reached since, and who no more.',
    since: 3,
    fields: Type.Object({
      reached: Reached,
      lost: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 500 }),
    }),
  },
  bye: { purpose: 'The agent stops on purpose and means to be back soon.', since: 1, fields: Type.Object({}) },
} as const satisfies Record<string, MessageDefinition>;

type MessageName = keyof typeof MESSAGES;

/** One message of a session. */
export type SessionMessage = {
  [Name in MessageName]: { type: Name } & Static<(typeof MESSAGES)[Name]['fields']>;
}[MessageName];

/** Sent by the server at least this often. */
export const HEARTBEAT_INTERVAL_MS = 1_000;
/** A line of a session is no longer than this, in characters. Members of before protocol 6 send all pods in one line. */
export const MAX_MESSAGE_CHARS = 1024 * 1024;
