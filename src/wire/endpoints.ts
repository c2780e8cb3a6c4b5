import Type from 'typebox';
import type { CallDefinition, PodStreamDefinition, StreamDefinition } from './definition.ts';
import { ExportRefusals, ExportsUpdate } from './export-schemas.ts';
import { EndpointReaches, JoinRequest, PeerRecords, RosterDifference, RosterVersions } from './member-schemas.ts';
import {
  ConfigObjects,
  ObjectReferences,
  Offer,
  PodStatsReply,
  PodSubmission,
  PodVerdict,
  SentPod,
} from './pod-schemas.ts';
import { Empty, GraceSeconds, Label, MemberId, MIB, Uid } from './schemas.ts';
import { ServiceAddresses, ServiceProblems, Services } from './service-schemas.ts';
import { VolumeAnswer, VolumeRequest } from './volume-schemas.ts';

/**
 * The calls and raw streams between members, each defined once: peering serves and calls them, tests send garbage to them, and
 * docs/wire.md is made of them. A new one is added here, and served and called by name.
 */

/**
 * 3: members compare digests of their rosters; a session that does not ask for them gets whole rosters, as in 2.
 * 4: keys can be replaced; members of before know a member by its first key alone.
 * 5: the question for a lease names the pods that it is for.
 * 6: a list of all pods comes in parts to whom asks for that; a peer can be asked for its offer.
 * 7: what a pod names may be sent ahead of it; members tell each other of the Services that they export,
 *    offer storage, and make volumes for each other.
 */
export const PROTOCOL_VERSION = 7;
/** To members that speak less than this a pod goes with all that it names, in one message, or not at all. */
export const PARTS_PROTOCOL = 7;
/** Members that speak less than this do not follow a key that is replaced. */
export const KEY_REPLACEMENT_PROTOCOL = 4;
/** Members that speak less than this may overlook that a pod is to be fenced. */
export const FENCING_PROTOCOL = 4;
/** Members that speak less than this are asked for a lease without naming pods. */
export const NAMED_LEASE_PROTOCOL = 5;
/** Members that speak less than this export no Services, and import none. */
export const EXPORTS_PROTOCOL = 7;

/** TLS server names: a newcomer asks for the first one, a member for the second. */
export const JOIN_SERVER_NAME = 'join.headcut';
export const PEER_SERVER_NAME = 'peer.headcut';

const SMALL = 64 * 1024;
/** A submission runs through the provider's API server; other calls are quick. */
const SUBMIT_WITHIN_MS = 30_000;
const CALL_WITHIN_MS = 15_000;
/** Answers that may be large, until they are read: who reads none makes this member hold so many. */
const ANSWERS_AT_ONCE = 8;
/** Logs, shells and port-forwards of one member; it opens a hundred at most itself. */
const LONG_AT_ONCE = 128;

const UidParams = Type.Object({ uid: Uid });
const NamespaceParams = Type.Object({ namespace: Label });
/** What a newcomer asks; it is no member yet, shows no certificate, and has this one call. */
export const JOIN = {
  purpose: 'A newcomer spends an invitation; answers with all members, the one that answers first.',
  since: 1,
  method: 'POST',
  path: '/join',
  body: JoinRequest,
  bodyBytes: SMALL,
  reply: Type.Object({ records: PeerRecords }),
  replyBytes: 4 * MIB,
  withinMs: 8_000,
  errors: ['FailedPrecondition'],
  cost: 1,
} as const satisfies CallDefinition;

/** What members ask each other. */
export const ENDPOINTS = {
  session: {
    purpose:
      'Opens the session: the callee tells what concerns the caller, and what changes about it. With `roster=digest` it says digests of its roster, not the roster; with `reach=changes` once whom it reaches, and then what changes; with `pods=parts` all pods in several messages.',
    since: 1,
    method: 'GET',
    path: '/v1/session',
    query: Type.Object({
      roster: Type.Optional(Type.String({ maxLength: 64 })),
      reach: Type.Optional(Type.String({ maxLength: 64 })),
      pods: Type.Optional(Type.String({ maxLength: 64 })),
    }),
    reply: 'messages',
    errors: [],
    cost: 1,
    atOnce: 4,
  },
  roster: {
    purpose: 'Tells records of members that the callee may not know.',
    since: 1,
    method: 'POST',
    path: '/v1/roster',
    body: Type.Object({ records: PeerRecords }),
    bodyBytes: MIB,
    reply: Empty,
    replyBytes: SMALL,
    withinMs: CALL_WITHIN_MS,
    errors: [],
    cost: 1,
  },
  rosterDifference: {
    purpose: 'Asks what the caller lacks of the callee’s roster.',
    since: 3,
    method: 'POST',
    path: '/v1/roster/difference',
    body: Type.Object({ versions: RosterVersions }),
    bodyBytes: SMALL,
    reply: RosterDifference,
    replyBytes: 4 * MIB,
    withinMs: CALL_WITHIN_MS,
    errors: [],
    cost: 1,
    atOnce: ANSWERS_AT_ONCE,
  },
  submitPod: {
    purpose:
      'Asks to run a pod of the caller, with all that it references. The same pod again is harmless and says the same.',
    since: 1,
    method: 'PUT',
    path: '/v1/pods/:uid',
    params: UidParams,
    body: PodSubmission,
    bodyBytes: 8 * MIB,
    reply: PodVerdict,
    replyBytes: SMALL,
    withinMs: SUBMIT_WITHIN_MS,
    errors: ['Conflict', 'Forbidden', 'FailedPrecondition'],
    cost: 1,
  },
  sendAhead: {
    purpose:
      'Sends some of what a pod of the caller names, which together is too large for one message; the pod comes after all of it, within a minute, and says what went ahead.',
    since: PARTS_PROTOCOL,
    method: 'PUT',
    path: '/v1/pods/:uid/ahead',
    params: UidParams,
    body: PodSubmission,
    bodyBytes: 8 * MIB,
    reply: PodVerdict,
    replyBytes: SMALL,
    withinMs: SUBMIT_WITHIN_MS,
    errors: ['Conflict', 'Forbidden', 'FailedPrecondition'],
    cost: 1,
  },
  lease: {
    purpose:
      'Asks whether the caller may go on with these fenced pods of the callee. An answer is a yes, from the moment of the question on, but for those that it names.',
    since: 1,
    method: 'POST',
    path: '/v1/lease',
    body: Type.Union([Type.Null(), Type.Object({ pods: Type.Array(Uid, { maxItems: 5_000 }) })]),
    bodyBytes: 256 * 1024,
    reply: Type.Object({ ended: Type.Optional(Type.Array(Uid, { maxItems: 5_000 })) }),
    replyBytes: 512 * 1024,
    withinMs: CALL_WITHIN_MS,
    errors: [],
    cost: 1,
  },
  updatePod: {
    purpose: 'Tells what the owner changed of a pod since it was submitted.',
    since: 1,
    method: 'PUT',
    path: '/v1/pods/:uid/changes',
    params: UidParams,
    body: Type.Object({ pod: SentPod }),
    bodyBytes: 8 * MIB,
    reply: Empty,
    replyBytes: SMALL,
    withinMs: SUBMIT_WITHIN_MS,
    errors: ['Forbidden', 'NotFound', 'Conflict'],
    cost: 1,
  },
  deletePod: {
    purpose: 'Asks to end a pod of the caller and to remove what belongs to it.',
    since: 1,
    method: 'DELETE',
    path: '/v1/pods/:uid',
    params: UidParams,
    query: Type.Object({ gracePeriodSeconds: Type.Optional(GraceSeconds) }),
    reply: Empty,
    replyBytes: SMALL,
    withinMs: CALL_WITHIN_MS,
    errors: ['NotFound', 'Conflict'],
    cost: 1,
  },
  updateObjects: {
    purpose:
      'Tells new contents of ConfigMaps and Secrets that pods of a namespace of the caller reference, and those of them that are no more (`gone`; earlier versions do not say it, and do not read it).',
    since: 1,
    method: 'PUT',
    path: '/v1/namespaces/:namespace/objects',
    params: NamespaceParams,
    body: Type.Object({ objects: ConfigObjects, gone: Type.Optional(ObjectReferences) }),
    bodyBytes: 8 * MIB,
    reply: Empty,
    replyBytes: SMALL,
    withinMs: CALL_WITHIN_MS,
    errors: ['NotFound', 'Conflict', 'FailedPrecondition'],
    cost: 1,
  },
  updateServices: {
    purpose:
      'Tells all Services of a namespace of the caller that has pods here; answers with those that cannot be had.',
    since: 1,
    method: 'PUT',
    path: '/v1/namespaces/:namespace/services',
    params: NamespaceParams,
    body: Type.Object({ services: Services, serviceAddresses: Type.Optional(ServiceAddresses) }),
    bodyBytes: 8 * MIB,
    reply: Type.Object({ problems: ServiceProblems }),
    replyBytes: MIB,
    withinMs: CALL_WITHIN_MS,
    errors: ['NotFound'],
    cost: 1,
  },
  updateExports: {
    purpose:
      'Tells Services that the caller exports. What `begins` is the whole: at its end (`ends`) whatever was told before and not again is gone. Later ones tell what changed, and what is `gone`. Answers with those that are not taken.',
    since: 7,
    method: 'PUT',
    path: '/v1/exports',
    body: ExportsUpdate,
    bodyBytes: 8 * MIB,
    reply: Type.Object({ refused: ExportRefusals }),
    replyBytes: MIB,
    withinMs: CALL_WITHIN_MS,
    errors: [],
    cost: 1,
  },
  stats: {
    purpose: 'Asks what the caller’s pods use; with `only_cpu_and_memory` as in a kubelet’s summary.',
    since: 1,
    method: 'GET',
    path: '/v1/stats',
    query: Type.Object({ only_cpu_and_memory: Type.Optional(Type.Boolean()) }),
    reply: PodStatsReply,
    replyBytes: 4 * MIB,
    withinMs: CALL_WITHIN_MS,
    errors: [],
    cost: 1,
    atOnce: ANSWERS_AT_ONCE,
  },
  logs: {
    purpose: 'The logs of a container of a pod of the caller; the query has the names of the Kubernetes API.',
    since: 1,
    method: 'GET',
    path: '/v1/pods/:uid/logs/:container',
    params: Type.Object({ uid: Uid, container: Label }),
    query: 'kubernetes',
    reply: 'bytes',
    errors: ['NotFound', 'Forbidden'],
    cost: 1,
    atOnce: LONG_AT_ONCE,
  },
  freshOffer: {
    purpose:
      'Asks what the callee offers to the caller at this moment. Offers are told when they change; one that was refused in spite of its offer learns here whether that still stands.',
    since: 6,
    method: 'POST',
    path: '/v1/offer',
    reply: Type.Object({ offer: Type.Optional(Offer) }),
    replyBytes: 256 * 1024,
    withinMs: CALL_WITHIN_MS,
    errors: [],
    cost: 1,
  },
  putVolume: {
    purpose:
      'Asks for a volume for a claim of the caller, or for a larger one. The same again is harmless, and says how far it is.',
    since: 7,
    method: 'PUT',
    path: '/v1/volumes/:uid',
    params: UidParams,
    body: VolumeRequest,
    bodyBytes: SMALL,
    reply: VolumeAnswer,
    replyBytes: SMALL,
    withinMs: SUBMIT_WITHIN_MS,
    errors: ['Conflict'],
    cost: 1,
  },
  deleteVolume: {
    purpose: 'Asks to delete a volume of the caller with its data; answers whether it is gone.',
    since: 7,
    method: 'DELETE',
    path: '/v1/volumes/:uid',
    params: UidParams,
    reply: Type.Object({ gone: Type.Boolean() }),
    replyBytes: SMALL,
    withinMs: CALL_WITHIN_MS,
    errors: [],
    cost: 1,
  },
  reach: {
    purpose: 'Asks how the callee reaches the endpoints in the caller’s record.',
    since: 1,
    method: 'GET',
    path: '/v1/reach',
    reply: Type.Object({ endpoints: EndpointReaches }),
    replyBytes: 256 * 1024,
    withinMs: CALL_WITHIN_MS,
    errors: ['NotFound'],
    cost: 1,
  },
} as const satisfies Record<string, CallDefinition>;

/** exec, attach and port-forward: upgrades whose bytes pass untouched. */
export const POD_STREAM = {
  purpose:
    'exec, attach or portforward of a pod of the caller, as websocket or SPDY/3.1; the query has the names of the Kubernetes API, and `container`.',
  since: 1,
  path: '/v1/pods/:uid/:action',
  params: Type.Object({
    uid: Uid,
    action: Type.Union([Type.Literal('exec'), Type.Literal('attach'), Type.Literal('portforward')]),
  }),
  query: 'kubernetes',
  errors: ['NotFound', 'Forbidden'],
  cost: 1,
  atOnce: LONG_AT_ONCE,
} as const satisfies PodStreamDefinition;

/** What `Upgrade` names on a raw stream between two agents. */
export const STREAM_PROTOCOL = 'headcut-stream';
/** Where raw streams are asked for. */
export const STREAM_PATH = '/v1/streams/:name';

/** Raw streams between two agents, by the name in their path. */
export const STREAMS = {
  relay: {
    purpose: 'To a third member: join this stream with one to the member `to`.',
    since: 1,
    query: Type.Object({ to: MemberId }),
    errors: [],
    cost: 1,
    atOnce: 64,
  },
  relayed: {
    purpose: 'From a third member: what comes over this stream is a connection of the member `from` to the peer port.',
    since: 1,
    query: Type.Object({ from: Type.Optional(MemberId) }),
    errors: [],
    cost: 1,
    atOnce: 128,
  },
  packets: {
    purpose: 'Packets of WireGuard in frames, where UDP is blocked; with `direct` on a connection of its own.',
    since: 1,
    query: Type.Object({ direct: Type.Optional(Type.String({ maxLength: 16 })) }),
    errors: [],
    cost: 1,
    atOnce: 16,
  },
  'home-api': {
    purpose: 'To the API server of the callee, for its pod `uid` that runs with the caller.',
    since: 1,
    query: Type.Object({ uid: Uid }),
    errors: ['Forbidden'],
    cost: 1,
    atOnce: 256,
  },
} as const satisfies Record<string, StreamDefinition>;
