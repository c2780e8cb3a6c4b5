import type { KubeObject } from '../../core/kube-objects.ts';
import { preferEndpoint } from '../../core/membership/endpoint.ts';
import type { PeerObject } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { considerRecords, peerObjectName } from '../../core/membership/roster.ts';
import { isVouchedBy, problemOfRecord, signVouch } from '../../core/membership/signed-record.ts';
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PEERS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { type ClientIdentity, dialAlone, dialPeer } from '../../wire/dial-peer.ts';
import type { PeerHello } from '../../wire/peer-connection.ts';
import type { PeerChange, PeerConnections, PeerLinks, PeerServing, PeerStreamServer, Roster } from '../ports.ts';
import type { AdmissionGate } from './admission-gate.ts';
import { MemberLink } from './member-link.ts';
import type { OwnRecord } from './own-record.ts';
import { Reach } from './reach.ts';
import { Relays } from './relays.ts';
import { RemovedMembers, type RemovedMembersStore } from './removed-members.ts';

export interface MembershipDeps {
  client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'delete'>;
  peers: Store<PeerObject>;
  identity: ClientIdentity;
  own: OwnRecord;
  /** What this agent says about itself on each connection. */
  hello: PeerHello;
  /** Serves the streams that peers open. */
  serving: PeerServing;
  /** Whether newcomers that others vouch for come in at once. */
  gate: AdmissionGate;
  /** Members that are none any more, kept over restarts. */
  removed: RemovedMembersStore;
  clock: Clock;
  random(): number;
  logger: Logger;
}

interface Member {
  objectName: string;
  uid: string | undefined;
  record: PeerRecord;
  link: MemberLink;
  stop: AbortController;
}

/** How often the silence of peers is looked at. */
const TICK_MS = 200;
/** A tick later than this means that this process, or its machine, stood still: that silence is nobody else's fault. */
const LATE_TICK_MS = 2 * TICK_MS;
/** Members that join together are told together. */
const PUSH_AFTER_MS = 50;
/** Who cannot be told within this learns it from the others. */
const FAREWELL_WITHIN_MS = 5_000;

/** The other members: kept as Peer objects, each with a link. A Peer object that is deleted is a member no more. */
export class Membership implements PeerLinks {
  readonly reach = new Reach(() => this.list());
  readonly #deps: MembershipDeps;
  readonly #members = new Map<string, Member>();
  readonly #listeners: ((id: string, change: PeerChange) => void)[] = [];
  readonly #rosterListeners: (() => void)[] = [];
  readonly #removed: RemovedMembers;
  readonly #relays: Relays;
  readonly #rejected = new Map<string, string>();
  /** Writes go one after the other, so that two tellers of the same newcomer make one object. */
  #writing: Promise<unknown> = Promise.resolve();
  #records: PeerRecord[] | undefined;
  #signal: AbortSignal | undefined;
  #pushing = false;
  #joining: string | undefined;

  constructor(deps: MembershipDeps) {
    this.#deps = deps;
    const { identity, hello, clock } = deps;
    this.#relays = new Relays({ links: this, dialing: { identity, hello, clock }, clock });
    this.#removed = new RemovedMembers(deps.removed);
    deps.peers.onChange((name, after, before) => this.#onObject(name, after, before));
    deps.own.onChange(() => this.#rosterChanged());
  }

  get synced(): boolean {
    return this.#deps.peers.synced;
  }

  get(id: string): MemberLink | undefined {
    return this.#members.get(id)?.link;
  }

  list(): MemberLink[] {
    return [...this.#members.values()].map((member) => member.link);
  }

  /** The name of the Peer object of a member. */
  objectName(id: string): string | undefined {
    return this.#members.get(id)?.objectName;
  }

  onChange(listener: (id: string, change: PeerChange) => void): void {
    this.#listeners.push(listener);
  }

  /** The members as the peer server needs them; a view of its own since its onChange means another thing. */
  get roster(): Roster {
    return {
      records: () => this.records(),
      told: () => [...this.records(), ...this.#removed.left()],
      tell: (records, from) => this.tell(records, from),
      admit: (record) => this.admit(record),
      onChange: (listener) => void this.#rosterListeners.push(listener),
    };
  }

  /** Connections that members opened to us. */
  get connections(): PeerConnections {
    return {
      reach: () => this.reach.own(),
      onReachChange: (listener) => this.reach.onChange(listener),
      accept: (connection) => {
        const link = this.#signal?.aborted === true ? undefined : this.get(connection.peerId);
        if (link === undefined) connection.close(new Error('not a member'));
        else link.accept(connection);
      },
    };
  }

  /** The own record first. Each other one carries the voucher of a member that is in the list, or our own. */
  records(): PeerRecord[] {
    this.#records ??= [
      this.#deps.own.record(),
      ...[...this.#members.values()].map(({ record }) => this.#withVoucher(record)),
    ];
    return this.#records;
  }

  tell(records: PeerRecord[], from: string): Promise<void> {
    return this.#serially(async () => {
      if (this.#deps.own.record().left === true) return;
      await this.#takeOver(
        records.filter((record) => !this.#removed.refuses(record)),
        from,
      );
    });
  }

  admit(record: PeerRecord): Promise<void> {
    const { own, identity } = this.#deps;
    const vouched = { ...record, vouch: signVouch(record.id, own.id, identity.key) };
    return this.#serially(async () => {
      await this.#removed.welcome([record.id]);
      await this.#takeOver([vouched], own.id);
      this.get(record.id)?.hurry();
    });
  }

  /** The approvals may be others: who waits is looked at again. */
  reconsider(): Promise<void> {
    const { gate, own } = this.#deps;
    return this.#serially(() => this.#takeOver(gate.takeApproved(), own.id));
  }

  /** As a newcomer: takes over the roster that the inviting member answered. */
  async accept(records: PeerRecord[], inviterId: string): Promise<void> {
    const inviter = records.find((record) => record.id === inviterId);
    if (inviter !== undefined) await this.admit(inviter);
    await this.#serially(async () => {
      await this.#removed.welcome(records.map((record) => record.id));
      // Who joins takes the federation as it is.
      this.#joining = inviterId;
      await this.#takeOver(records, inviterId);
      this.#joining = undefined;
    });
    for (const { id } of records) this.get(id)?.hurry();
  }

  /** Joins streams of others that cannot reach each other. */
  get relayServer(): PeerStreamServer {
    return this.#relays.server;
  }

  /** Tells everybody who can be reached that this is no member any more, and forgets them all. Bounded in time. */
  async leave(): Promise<void> {
    const { own, client, clock, logger } = this.#deps;
    await own.leave();
    const connected = this.list().filter((link) => link.state === 'Connected');
    const telling = Promise.allSettled(connected.map((link) => link.pushRoster([own.record()])));
    await Promise.race([telling, clock.sleep(FAREWELL_WITHIN_MS)]);
    await this.#serially(async () => {
      for (const { objectName } of this.#members.values()) await deletePeer(client, objectName);
    });
    logger.info({ told: connected.length }, 'left the federation');
  }

  /** Keeps links to all members until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    for (const member of this.#members.values()) this.#start(member);
    const { clock } = this.#deps;
    let last = clock.monotonic();
    while (!signal.aborted) {
      await clock.sleep(TICK_MS, signal).catch(() => {});
      const now = clock.monotonic();
      const forgiveMs = now - last > LATE_TICK_MS ? now - last - TICK_MS : 0;
      last = now;
      for (const { link } of this.#members.values()) link.tick(now, forgiveMs);
    }
    for (const { stop } of this.#members.values()) stop.abort();
  }

  async #takeOver(told: PeerRecord[], from: string): Promise<void> {
    const { own, gate, logger } = this.#deps;
    const known = new Map([...this.#members].map(([id, member]) => [id, member.record]));
    for (const decision of considerRecords(told, known, own.record())) {
      if (decision.type === 'reject') {
        // The same story comes with each session: one line for it is enough.
        if (this.#rejected.get(decision.id) === decision.reason) continue;
        if (this.#rejected.size > 1_000) this.#rejected.clear();
        this.#rejected.set(decision.id, decision.reason);
        logger.warn({ id: decision.id, from, reason: decision.reason }, 'record of a member not believed');
      } else if (decision.type === 'leave') await this.#onLeft(decision.record);
      else if (decision.type === 'add') {
        if (from === own.id || from === this.#joining || gate.admits(decision.record))
          await this.#create(decision.record, from);
      } else await this.#update(decision.record);
    }
  }

  async #onLeft(record: PeerRecord): Promise<void> {
    const member = this.#members.get(record.id);
    await this.#removed.leave(record);
    if (member === undefined) return;
    this.#deps.logger.info({ peer: member.objectName, id: record.id }, 'member left');
    await deletePeer(this.#deps.client, member.objectName);
  }

  async #create(record: PeerRecord, from: string): Promise<void> {
    await this.#removed.welcome([record.id]);
    const { client, own, logger, peers } = this.#deps;
    const taken = new Map<string, string>(peers.list().map((peer) => [peer.metadata.name, peer.spec.id]));
    for (const member of this.#members.values()) taken.set(member.objectName, member.record.id);
    taken.set(own.record().name, own.id);
    const name = peerObjectName(record, taken);
    const created = await this.#createObject(client, { metadata: { name }, spec: record });
    logger.info({ peer: name, id: record.id, from }, 'new member');
    this.#adopt(created.metadata.name, created.metadata.uid, created.spec);
  }

  /** Under its name, or told apart by its ID when another member has that name by now. */
  async #createObject(client: MembershipDeps['client'], peer: PeerObject): Promise<PeerObject> {
    try {
      return await client.create<PeerObject>(PEERS, peer);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const existing = await client.get<PeerObject>(PEERS, { name: peer.metadata.name });
    if (existing.spec.id === peer.spec.id) return existing;
    const name = `${peer.spec.name}-${peer.spec.id.slice(0, 6)}`;
    return client.create<PeerObject>(PEERS, { ...peer, metadata: { name } });
  }

  async #update(record: PeerRecord): Promise<void> {
    const member = this.#members.get(record.id);
    if (member === undefined) return;
    // A merge patch: what the record has no more must be said.
    const leaves = member.record.network !== undefined && record.network === undefined;
    const spec = leaves ? { ...record, network: null } : record;
    await this.#deps.client.patch(PEERS, { name: member.objectName }, { spec });
    this.#adopt(member.objectName, member.uid, record);
  }

  #onObject(name: string, after: PeerObject | undefined, before: PeerObject | undefined): void {
    if (before !== undefined && before.spec.id !== after?.spec.id) this.#remove(before.spec.id, before);
    if (after === undefined || after.spec.id === this.#deps.own.id) return;
    const problem = problemOfRecord(after.spec);
    if (problem === undefined) this.#adopt(name, after.metadata.uid, after.spec);
    else this.#deps.logger.warn({ peer: name, problem }, 'Peer object ignored');
  }

  #adopt(objectName: string, uid: string | undefined, record: PeerRecord): void {
    const member = this.#members.get(record.id);
    if (member === undefined) {
      this.#add(objectName, uid, record);
      return;
    }
    member.uid = uid;
    if (record.incarnation <= member.record.incarnation) return;
    member.record = record;
    member.link.update(record);
    this.#rosterChanged();
  }

  #add(objectName: string, uid: string | undefined, record: PeerRecord): void {
    const { id } = record;
    const { own, serving, identity, hello, clock } = this.#deps;
    const link = new MemberLink(objectName, record, {
      ...this.#deps,
      ownId: own.id,
      dialThroughOthers: (latest, signal) => this.#relays.dial(latest, signal),
      dialDirectly: (latest, last, signal) =>
        dialPeer(latest, preferEndpoint(latest.endpoints, last), { identity, hello, clock }, signal),
      dialAlone: (latest, endpoint, signal) => dialAlone(latest, endpoint, { identity, clock }, signal),
      serve: (stream) => serving.serve(id, stream),
      onChange: (change) => this.#emit(id, change),
      onRecords: (records) =>
        void this.tell(records, id).catch((err: unknown) => this.#warn(err, 'members not stored')),
      onOpen: () => this.#push(id),
      onWay: () => this.reach.refresh(),
      onReach: () => this.#hearsayChanged(),
    });
    const member: Member = { objectName, uid, record, link, stop: new AbortController() };
    this.#members.set(id, member);
    this.#emit(id, 'added');
    if (this.#signal?.aborted === false) this.#start(member); // later nobody would end its link any more
    this.#rosterChanged();
  }

  #remove(id: string, object: KubeObject): void {
    const member = this.#members.get(id);
    if (member === undefined || (member.uid !== undefined && member.uid !== object.metadata.uid)) return;
    this.#members.delete(id);
    const { own, logger } = this.#deps;
    // By hand; not when it left, or we did.
    if (!this.#removed.has(id) && own.record().left !== true)
      this.#serially(() => this.#removed.forget(id)).catch((err: unknown) =>
        this.#warn(err, 'removal of a member not kept'),
      );
    member.stop.abort();
    logger.info({ peer: member.objectName, id }, 'member removed');
    this.#emit(id, 'removed');
    this.#rosterChanged();
  }

  #start(member: Member): void {
    void member.link.run(member.stop.signal);
  }

  #withVoucher(record: PeerRecord): PeerRecord {
    const { own, identity } = this.#deps;
    const by = record.vouch?.by;
    const voucher = by === own.id ? own.record() : this.#members.get(by ?? '')?.record;
    if (voucher !== undefined && isVouchedBy(record, voucher)) return record;
    return { ...record, vouch: signVouch(record.id, own.id, identity.key) };
  }

  #rosterChanged(): void {
    this.#records = undefined;
    for (const listener of this.#rosterListeners) listener();
    if (this.#pushing || this.#signal === undefined) return;
    this.#pushing = true;
    this.#deps.clock.sleep(PUSH_AFTER_MS, this.#signal).then(
      () => {
        this.#pushing = false;
        for (const { link } of this.#members.values()) if (link.state === 'Connected') this.#push(link.id);
      },
      () => {},
    );
  }

  #hearsayChanged(): void {
    for (const link of this.list()) if (link.state === 'Unreachable') this.#emit(link.id, 'state');
  }

  /** Tells a peer all members. Sessions tell them too; this is for a peer that cannot connect to us. */
  #push(id: string): void {
    const link = this.get(id);
    link
      ?.pushRoster(this.roster.told())
      .catch((err: unknown) => this.#deps.logger.debug({ peer: link.name, err }, 'roster not pushed'));
  }

  #emit(id: string, change: PeerChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(id, change);
      } catch (err) {
        this.#deps.logger.error({ id, err }, 'listener of members failed');
      }
    }
  }

  #warn(err: unknown, message: string): void {
    this.#deps.logger.warn({ err }, message);
  }

  #serially<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#writing.then(work, work);
    this.#writing = done.catch(() => {});
    return done;
  }
}

async function deletePeer(client: Pick<KubeClient, 'delete'>, name: string): Promise<void> {
  try {
    await client.delete(PEERS, { name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
