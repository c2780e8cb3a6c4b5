import { hasCode } from '../../core/coded-error.ts';
import {
  FEDERATION_NAME,
  type FederationObject,
  type KeyStatus,
  LEAVE_ANNOTATION,
  type PeerObject,
  type PendingMember,
  planFederationStatus,
  planPeerStatus,
  ROTATE_KEY_ANNOTATION,
} from '../../core/membership/peer-object.ts';
import { keyGenerationOf } from '../../core/membership/record-version.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { FEDERATIONS, PEERS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Peer } from '../../peering/peer.ts';
import type { Peers } from '../../peering/peers.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import { type Controller, createController } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { OwnIdentity } from '../ports.ts';

/** What is shown of the other members, and what the Federation object asks of membership. */
export interface StatedMembership {
  /** Approvals and bans may be others. */
  reconsider(): Promise<void>;
  /** Why the stored record of a member cannot be used; undefined when it can. */
  unusable(id: string): string | undefined;
  /** IDs of those by whose word a member came in, the nearest first. */
  cameThrough(id: string): string[];
}

/** What is shown of this member. */
export interface StatedSelf extends OwnIdentity {
  /** Takes over what the Federation object says now. */
  refresh(federation: FederationObject | undefined): Promise<void>;
  /** Others know a later key of this member than it has. */
  readonly isOldCopy: boolean;
  onChange(listener: () => void): void;
}

export interface MembershipStatusDeps {
  client: Pick<KubeClient, 'create' | 'patch'>;
  peers: Store<PeerObject>;
  federations: Store<FederationObject>;
  membership: StatedMembership;
  /** This cluster is to be no member any more. */
  leave(): Promise<void>;
  ways: Peers;
  own: StatedSelf;
  gate: { pending(): PendingMember[]; onChange(listener: () => void): void };
  /** Of headcut. */
  version: string;
  keys: {
    /** The key of this request signs from now on. Throws FailedPrecondition where no key can follow. @returns whether it did not before */
    replace(request: string): Promise<boolean>;
    replacedAt(): string | undefined;
    /** A request for a new key that is due by itself: the certificate has lived for most of its time. */
    dueRequest(): string | undefined;
  };
  clock: Clock;
  logger: Logger;
}

/** A suspicion is over, one way or the other, before this; only a longer one (a restart of the peer) is worth a write. */
const SETTLE_MS = 1_500;
/** Whether a clone is gone shows only by its silence. */
const CLONE_AGAIN_MS = 30_000;
const FEDERATION_KEY = '';
/** Certificates last for decades. */
const LOOK_AT_CERTIFICATE_MS = 86_400_000;

/** Keeps the status of Peer objects and of the Federation, and the own record as the Federation wants it. */
export function createMembershipStatus(deps: MembershipStatusDeps): Controller {
  const controller = createController({
    name: 'membership-status',
    clock: deps.clock,
    logger: deps.logger,
    reconcile: (key) => (key === FEDERATION_KEY ? reconcileFederation(deps) : reconcilePeer(deps, key)),
  });
  deps.ways.onChange((id, change) => {
    if (change !== 'state' && change !== 'added' && change !== 'removed' && change !== 'offer') return;
    if (change !== 'removed') controller.enqueue(id);
    if (change !== 'offer') controller.enqueueAfter(FEDERATION_KEY, SETTLE_MS);
  });
  deps.federations.onChange((name) => {
    if (name === FEDERATION_NAME) controller.enqueue(FEDERATION_KEY);
  });
  // Our own writes come back here as well: a reconcile may have looked at a state from before them.
  deps.peers.onChange((_name, after) => {
    if (after !== undefined) controller.enqueue(after.spec.id);
  });
  deps.own.onChange(() => controller.enqueue(FEDERATION_KEY));
  deps.gate.onChange(() => controller.enqueue(FEDERATION_KEY));
  void deps.federations.whenSynced().then(() => controller.enqueue(FEDERATION_KEY));
  return controller;
}

async function reconcilePeer(deps: MembershipStatusDeps, id: string) {
  const link = deps.ways.get(id);
  if (link === undefined) return undefined;
  const unsettledMs = unsettledFor(deps, [link]);
  if (unsettledMs > 0) return { requeueAfterMs: unsettledMs };
  const peer = deps.peers.get(link.name);
  // The cache has not seen our own create yet.
  if (peer === undefined || peer.spec.id !== id) return { requeueAfterMs: SETTLE_MS };
  const { problem, via, version, roundTripMs, cloned } = link.status;
  const contact = {
    state: link.state,
    offer: link.offer,
    problem,
    unusable: deps.membership.unusable(id),
    via: via === undefined ? undefined : (deps.ways.get(via)?.name ?? via.slice(0, 6)),
    version,
    roundTripMs,
    cloned,
    hearsay: deps.ways.reach.hearsay(id),
    ...broughtIn(deps, id),
  };
  const again = contact.cloned ? { requeueAfterMs: CLONE_AGAIN_MS } : undefined;
  const status = planPeerStatus(peer, contact, toKubeTime(deps.clock.now()));
  if (status === undefined) return again;
  try {
    await deps.client.patch(PEERS, { name: link.name, subresource: 'status' }, { status });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  return again;
}

/** Nothing where nobody vouched for it. */
function broughtIn({ membership, ways, own }: MembershipStatusDeps, id: string) {
  const through = membership.cameThrough(id);
  const [by] = through;
  if (by === undefined) return {};
  return { broughtIn: { by: by === own.id ? own.record().name : (ways.get(by)?.name ?? by), through } };
}

async function reconcileFederation(deps: MembershipStatusDeps) {
  const { client, federations, membership, ways, own, version } = deps;
  if (!federations.synced) return undefined;
  const federation =
    federations.get(FEDERATION_NAME) ??
    (await client.create<FederationObject>(FEDERATIONS, { metadata: { name: FEDERATION_NAME }, spec: {} }));
  await own.refresh(federation);
  await replaceKey(deps, federation);
  if (!ways.synced) return undefined;
  await membership.reconsider();
  if (federation.metadata.annotations?.[LEAVE_ANNOTATION] !== undefined) {
    await deps.leave();
    const annotations = { [LEAVE_ANNOTATION]: null };
    await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, { metadata: { annotations } });
  }
  const links = ways.list();
  const unsettledMs = unsettledFor(deps, links);
  if (unsettledMs > 0 && federation.status?.id === own.id) return { requeueAfterMs: unsettledMs };
  const states = links.map((link) => link.state);
  const facts = {
    own: own.record(),
    version,
    states,
    waiting: deps.gate.pending(),
    key: keyStatus(deps, links),
    ...copyProblem(own),
  };
  const status = planFederationStatus(federation, facts);
  if (status !== undefined)
    await client.patch(FEDERATIONS, { name: FEDERATION_NAME, subresource: 'status' }, { status });
  return { requeueAfterMs: LOOK_AT_CERTIFICATE_MS };
}

/** Makes the next key when that is asked for, or due. */
async function replaceKey({ client, own, keys, logger }: MembershipStatusDeps, { metadata }: FederationObject) {
  const asked = metadata.annotations?.[ROTATE_KEY_ANNOTATION];
  const request = asked ?? keys.dueRequest();
  if (request === undefined) return;
  try {
    if (await keys.replace(request)) logger.info({ request, replaced: keyGenerationOf(own.record()) }, 'key replaced');
  } catch (error) {
    // There is no further key: asking again changes nothing.
    if (!hasCode(error, 'FailedPrecondition')) throw error;
    logger.error({ request, problem: error.message }, 'key not replaced');
  }
  if (asked === undefined) return;
  const annotations = { [ROTATE_KEY_ANNOTATION]: null };
  await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, { metadata: { annotations } });
}

function copyProblem({ isOldCopy }: StatedSelf): { problem?: string } {
  if (!isOldCopy) return {};
  return {
    problem:
      'the other members know a later key of this member: this is an old copy, as a backup from before headcut rotate-key, and they do not hear it; give it a new identity (kubectl -n headcut-system delete secret headcut-identity, then restart its agent), and join it anew',
  };
}

/** Undefined for the first key, of which there is nothing to tell. */
function keyStatus({ own, keys }: MembershipStatusDeps, links: Peer[]): KeyStatus | undefined {
  const replaced = keyGenerationOf(own.record());
  if (replaced === 0) return undefined;
  const unseen = links.filter((link) => link.status.ownKeyProven < replaced).map((link) => link.name);
  const since = keys.replacedAt();
  return { replaced, ...(since === undefined ? {} : { since }), unseenBy: unseen.sort() };
}

/** How long to wait until none of these suspicions is too young to be worth a write. */
function unsettledFor(deps: MembershipStatusDeps, links: Peer[]): number {
  const now = deps.clock.monotonic();
  const suspects = links.filter((link) => link.state === 'Suspect');
  return Math.max(0, ...suspects.map((link) => SETTLE_MS - (now - link.status.stateSince)));
}
