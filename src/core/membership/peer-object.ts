import { isDeepStrictEqual } from 'node:util';
import type { Offer } from '../exchange/offer.ts';
import type { Condition, KubeObject, ResourceList } from '../kube-objects.ts';
import { plainLine } from '../plain-text.ts';
import type { PeerRecord } from './peer-record.ts';

/** The `Peer` object: one other member. Its spec is the member's record, written by the agent alone. */
export interface PeerObject extends KubeObject {
  spec: PeerRecord;
  status?: PeerStatus;
}

export interface PeerStatus {
  state?: string;
  observedGeneration?: number;
  /** When it was last heard of; only said while it is not connected. */
  lastSeen?: string | null;
  /** Name of the member that carries the connection, when there is no direct way. */
  via?: string | null;
  /** Of headcut, as its agent said when the connection was made. */
  version?: string;
  /** At the time of the last change of state. */
  roundTripMs?: number;
  /** The offer at the time of the last change of state; the virtual node has the present one. */
  offer?: { accepting: boolean; allocatable: ResourceList };
  /** Written by the network feature; null where there is none. */
  network?: { path: string | null; prefix: string | null } | null;
  /** Name of the member by whose word it came in; its ID where that is none any more. */
  broughtInBy?: string;
  /** IDs of that one and those by whose word it came in, the nearest first; of very many the nearest. */
  cameThrough?: string[];
  conditions?: Condition[];
}

/** The `Federation` object named `headcut`: this member's own settings, and what it is. */
export interface FederationObject extends KubeObject {
  spec?: {
    name?: string;
    endpoints?: string[];
    /** Whether newcomers that other members vouch for come in at once; `Vouched` when not said. */
    admission?: 'Vouched' | 'Manual';
    /** IDs of newcomers that may come in where admission is manual. */
    approved?: string[];
    /** IDs of clusters that are kept out, whoever vouches for them. */
    banned?: string[];
    /** Those of them whose newcomers are kept out as well, and theirs, unless they are approved. */
    bannedNewcomers?: string[];
    /** How many members there may be by the word of others alone; more wait for approval. */
    vouchedLimit?: number;
    homeApi?: { enabled?: boolean };
    /** Whether tokens of ServiceAccounts go along with pods that mount them. */
    serviceAccountTokens?: 'Send' | 'KeepHome';
    /** Peers are asked to move their pods away, and send no more. */
    maintenance?: boolean;
    [field: string]: unknown;
  };
  status?: FederationStatus;
}

export interface FederationStatus {
  id?: string;
  name?: string;
  /** Of headcut, as the agent is now. */
  version?: string;
  endpoints?: string[];
  peers?: PeerCounts;
  /** Written by the network feature; null where there is none. */
  network?: { prefix: string | null; tunnels: string | null } | null;
  /** Newcomers that wait for approval. */
  pending?: PendingMember[] | null;
  /** The present key; only where it replaced others. */
  key?: KeyStatus | null;
  /** Why the other members do not hear this one, if so. */
  problem?: string | null;
  conditions?: Condition[];
}

/** The present key of this member. */
export interface KeyStatus {
  /** How many keys came before it. */
  replaced: number;
  /** RFC 3339. */
  since?: string;
  /** Peers that have not accepted a connection by it yet, as far as this life of the agent knows. */
  unseenBy: string[];
}

/** A newcomer that another member vouches for (by ID), and that was not approved here. */
export interface PendingMember {
  id: string;
  name: string;
  vouchedBy: string;
  /** Why it waits, where that is not that admission is manual. */
  reason?: string;
}

export interface PeerCounts {
  total: number;
  connected: number;
  unreachable: number;
}

/** The name of the one Federation object. */
export const FEDERATION_NAME = 'headcut';
/** Asks the agent for the next key; the value names the request, of which one key is made. It takes it away when that is done. */
export const ROTATE_KEY_ANNOTATION = 'headcut.dev/rotate-key';
/** Asks the agent to leave the federation; it takes it away when that is done. */
export const LEAVE_ANNOTATION = 'headcut.dev/leave';

/** What other members say about a peer that we do not reach. */
export type Hearsay = { view: 'LinkDown'; witness: string } | { view: 'PeerDown' } | { view: 'Unknown' };

export interface PeerContact {
  state: string;
  /** Name of the member that carries the connection, when it is not direct. */
  via: string | undefined;
  /** Of its agent; undefined while there is no connection. */
  version?: string | undefined;
  roundTripMs: number | undefined;
  /** Two agents with its key are up at once. */
  cloned: boolean;
  hearsay: Hearsay;
  offer: Offer | undefined;
  /** Why it is not connected, for people. */
  problem: string | undefined;
  /** Why its stored record cannot be used, if so. */
  unusable?: string | undefined;
  /** By whose word it came in: the name of the nearest, and the IDs of all. */
  broughtIn?: { by: string; through: string[] };
}

/** The status to write, as a merge patch, or undefined when nothing worth a write changed. @param now RFC 3339 */
export function planPeerStatus(peer: PeerObject, contact: PeerContact, now: string): PeerStatus | undefined {
  const before = peer.status ?? {};
  const generation = peer.metadata.generation ?? 1;
  const changed = before.state !== contact.state;
  const connected = before.conditions?.find((condition) => condition.type === 'Connected');
  const said = connected?.reason !== reasonOf(contact) || (before.via ?? undefined) !== contact.via;
  const unique = before.conditions?.find((condition) => condition.type === 'Unique');
  const cloneNews = contact.cloned !== (unique?.status === 'False');
  const otherVersion = contact.version !== undefined && contact.version !== before.version;
  const missesOffer = before.offer === undefined && contact.offer !== undefined;
  const { broughtIn } = contact;
  const told = { by: before.broughtInBy, through: before.cameThrough };
  const otherLineage = broughtIn !== undefined && !isDeepStrictEqual(told, broughtIn);
  const news = changed || said || cloneNews || missesOffer || otherVersion || otherLineage;
  if (!news && before.observedGeneration === generation) return undefined;
  const status = contact.state === 'Connected' ? 'True' : contact.state === 'Suspect' ? 'Unknown' : 'False';
  const lastTransitionTime = connected?.status === status ? (connected.lastTransitionTime ?? now) : now;
  const { offer, via, version, roundTripMs } = contact;
  return {
    state: contact.state,
    observedGeneration: generation,
    via: via ?? null,
    ...(version === undefined ? {} : { version }),
    ...(broughtIn === undefined ? {} : { broughtInBy: broughtIn.by, cameThrough: broughtIn.through }),
    ...(roundTripMs === undefined ? {} : { roundTripMs: Math.round(roundTripMs * 10) / 10 }),
    ...(contact.state === 'Connected' ? { lastSeen: null } : changed ? { lastSeen: now } : {}),
    ...(offer === undefined ? {} : { offer: { accepting: offer.accepting, allocatable: offer.allocatable } }),
    conditions: [
      ...(before.conditions ?? []).filter(({ type }) => type !== 'Connected' && !(cloneNews && type === 'Unique')),
      ...(cloneNews ? [uniqueCondition(contact.cloned, now)] : []),
      {
        type: 'Connected',
        status,
        reason: reasonOf(contact),
        message: plainLine(messageOf(contact), 500),
        lastTransitionTime,
        observedGeneration: generation,
      },
    ],
  };
}

function uniqueCondition(cloned: boolean, lastTransitionTime: string): Condition {
  return {
    type: 'Unique',
    status: cloned ? 'False' : 'True',
    reason: cloned ? 'Cloned' : 'OneAgent',
    message: cloned
      ? `two agents with this member's key are up at once, as after the copy of a machine; on the copy, delete the Secrets headcut-identity and headcut-network and its agent's pod, then join it anew`
      : 'one agent has this key',
    lastTransitionTime,
  };
}

function reasonOf({ state, via, hearsay, unusable }: PeerContact): string {
  if (unusable !== undefined) return 'RecordUnusable';
  if (state === 'Connected') return via === undefined ? 'Heartbeat' : 'Relayed';
  if (state === 'Suspect') return 'Silent';
  return hearsay.view === 'Unknown' ? 'NoContact' : hearsay.view;
}

function messageOf({ state, via, hearsay, unusable, problem = 'no heartbeat arrives' }: PeerContact): string {
  if (unusable !== undefined)
    return `its record in this object cannot be used: ${unusable}; another member that is connected puts it right, or undo the change, or join it again by an invitation`;
  if (state === 'Connected') return via === undefined ? 'heartbeats arrive' : `Relayed through ${via}`;
  if (state === 'Suspect') return problem;
  switch (hearsay.view) {
    case 'LinkDown':
      return `${hearsay.witness} still reaches it, the way from here is down: ${problem}`;
    case 'PeerDown':
      return `no other member reaches it either: ${problem}`;
    case 'Unknown':
      return problem;
  }
}

/** What the status of the own Federation is made from. */
export interface FederationFacts {
  own: PeerRecord;
  version: string;
  /** Of each peer. */
  states: readonly string[];
  waiting?: readonly PendingMember[];
  key?: KeyStatus | undefined;
  problem?: string | undefined;
}

/** The status of the own Federation to write, or undefined when it says so already. */
export function planFederationStatus(
  federation: FederationObject,
  { own, version, states, waiting = [], key, problem }: FederationFacts,
): FederationStatus | undefined {
  const count = (state: string): number => states.filter((one) => one === state).length;
  const wanted: FederationStatus = {
    id: own.id,
    name: own.name,
    version,
    endpoints: own.endpoints,
    peers: { total: states.length, connected: count('Connected'), unreachable: count('Unreachable') },
  };
  const {
    id,
    name,
    version: shownVersion,
    endpoints,
    peers,
    pending,
    key: shownKey,
    problem: shownProblem,
  } = federation.status ?? {};
  const said = {
    ...{ id, name, version: shownVersion, endpoints, peers },
    pending: pending ?? [],
    key: shownKey ?? undefined,
    problem: shownProblem ?? undefined,
  };
  if (isDeepStrictEqual(said, { ...wanted, pending: waiting, key, problem })) return undefined;
  return {
    ...wanted,
    ...(waiting.length > 0 ? { pending: [...waiting] } : pending ? { pending: null } : {}),
    ...(key !== undefined ? { key } : shownKey ? { key: null } : {}),
    ...(problem !== undefined ? { problem } : shownProblem ? { problem: null } : {}),
  };
}

/** A name that is a DNS label, made from any text; `cluster` when nothing of it can be used. */
export function toMemberName(text: string): string {
  const label = text
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '');
  return label === '' ? 'cluster' : label;
}
