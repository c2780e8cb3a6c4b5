import Type from 'typebox';
import { Count, Digest, Label, MemberId, mapOf } from './schemas.ts';

/** What members say about members. */

/** A signature. */
const Base64 = Type.String({ maxLength: 1024 });
/** With as many replaced keys as there can be (core/membership/member-keys). */
const Certificate = Type.String({ maxLength: 12_288 });
const Ipv4Network = Type.String({ maxLength: 18, pattern: '^([0-9]{1,3}\\.){3}[0-9]{1,3}/[0-9]{1,2}$' });

const NetworkClaim = Type.Object({
  publicKey: Type.String({ pattern: '^[A-Za-z0-9+/]{43}=$' }),
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  podCidr: Ipv4Network,
  prefix: Ipv4Network,
  since: Count,
});

/** What passes here can be stored: the bounds are those of the Peer's kind (manifests/10-crd-peer). */
export const PeerRecord = Type.Object({
  id: MemberId,
  name: Label,
  endpoints: Type.Array(Type.String({ maxLength: 260 }), { minItems: 1, maxItems: 16 }),
  certificate: Certificate,
  incarnation: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  protocol: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
  network: Type.Optional(NetworkClaim),
  signature: Base64,
  left: Type.Optional(Type.Literal(true)),
  vouch: Type.Optional(Type.Object({ by: MemberId, signature: Base64, origin: Type.Optional(MemberId) })),
});

/** As many members as there can be. */
export const PeerRecords = Type.Array(PeerRecord, { maxItems: 500 });

/** Versions of records by the short form of the member's ID (core/membership/roster-digest). */
export const RosterVersions = mapOf(
  '^[a-z2-7]{1,16}$',
  Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
  1_200,
);

export const JoinRequest = Type.Object({
  record: PeerRecord,
  invitation: Type.String({ minLength: 1, maxLength: 64, pattern: '^[a-z0-9]+$' }),
  secret: Type.String({ minLength: 1, maxLength: 256 }),
  /** Proof of the newcomer's key, bound to this invitation and member. */
  signature: Base64,
});

/** The records that the caller lacks, and the digest of all that the callee has. */
export const RosterDifference = Type.Object({ digest: Digest, records: PeerRecords });

/** How a member reaches the endpoints of another one. */
export const EndpointReaches = Type.Array(
  Type.Object({
    endpoint: Type.String({ maxLength: 300 }),
    ok: Type.Boolean(),
    problem: Type.Optional(Type.String({ maxLength: 8_192 })),
  }),
  { maxItems: 16 },
);
