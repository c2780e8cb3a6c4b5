import type { KubeObject } from '../../core/kube-objects.ts';
import type { PeerObject } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { keyGenerationOf, versionOf } from '../../core/membership/record-version.ts';
import type { RosterVersions } from '../../core/membership/roster-digest.ts';
import { problemOfRecord, signVouch } from '../../core/membership/signed-record.ts';
import { type MemberLimits, VoucherTree } from '../../core/membership/voucher-tree.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Store } from '../../kube/store.ts';
import type { ClientIdentity } from '../../peering/dial-peer.ts';
import type { Dialing } from '../../peering/dialing.ts';
import { tickLinks } from '../../peering/link-ticks.ts';
import { MemberLink } from '../../peering/member-link.ts';
import { PeerChanges } from '../../peering/peer-changes.ts';
import { Reach } from '../../peering/reach.ts';
import { Relays } from '../../peering/relays.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PeerChange, PeerConnections, PeerLinks, PeerServing, PeerStreamServer, Roster } from '../ports.ts';
import type { AdmissionGate } from './admission-gate.ts';
import { DecisionWriter } from './decision-writer.ts';
import { DisbeliefLog } from './disbelief-log.ts';
import { sayFarewell } from './farewell.ts';
import type { OwnRecord } from './own-record.ts';
import { PeerObjectWriter } from './peer-object-writer.ts';
import { type Intake, RecordIntake } from './record-intake.ts';
import { RemovedMembers, type RemovedMembersStore } from './removed-members.ts';
import { RosterExchange } from './roster-exchange.ts';
import { ToldRoster } from './told-roster.ts';

export interface MembershipDeps {
  client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'delete'>;
  peers: Store<PeerObject>;
  identity: ClientIdentity;
  own: OwnRecord;
  dialing: Dialing;
  /** Serves the streams that peers open. */
  serving: PeerServing;
  /** Whether newcomers that others vouch for come in at once. */
  gate: AdmissionGate;
  /** Members that are none any more, kept over restarts. */
  removed: RemovedMembersStore;
  /** Where they are others than those of core. */
  limits?: Partial<MemberLimits>;
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

/** The other members: kept as Peer objects, each with a link. A Peer object that is deleted is a member no more. */
export class Membership implements PeerLinks {
  readonly reach = new Reach(() => this.list());
  readonly #deps: MembershipDeps;
  readonly #members = new Map<string, Member>();
  readonly #changes: PeerChanges;
  readonly #rosterListeners: (() => void)[] = [];
  readonly #removed: RemovedMembers;
  readonly #relays: Relays;
  readonly #disbelief: DisbeliefLog;
  /** Writes go one after the other, so that two tellers of the same newcomer make one object. */
  readonly #intake: RecordIntake;
  readonly #objects: PeerObjectWriter;
  readonly #writer: DecisionWriter;
  readonly #told: ToldRoster;
  readonly #exchange: RosterExchange;
  #signal: AbortSignal | undefined;
  /** Of the members as they are; made anew when one went. */
  #voucherTree: VoucherTree | undefined;

  constructor(deps: MembershipDeps) {
    this.#deps = deps;
    const { identity, dialing, clock, own, logger } = deps;
    this.#relays = new Relays({ links: this, dialing, clock });
    this.#removed = new RemovedMembers(deps.removed);
    this.#objects = new PeerObjectWriter(deps.client);
    this.#disbelief = new DisbeliefLog(logger);
    this.#changes = new PeerChanges(logger);
    this.#writer = new DecisionWriter({
      ...deps,
      removed: this.#removed,
      disbelief: this.#disbelief,
      objects: this.#objects,
      members: this.#members,
      adopt: (peer) => this.#adopt(peer),
    });
    this.#intake = this.#createIntake();
    const members = (): Map<string, PeerRecord> => this.#knownRecords();
    const refused = (): string[] => [...this.#removed.forgotten(), ...deps.gate.banned()];
    this.#told = new ToldRoster({ own, identity, members, refused, removed: this.#removed });
    this.#exchange = new RosterExchange({
      own: this.#told,
      ask: (id) => this.#differenceWith(id),
      tell: (records, id) => this.tell(records, id),
      clock,
      logger,
    });
    deps.peers.onChange((name, after, before) => this.#onObject(name, after, before));
    own.onChange(() => {
      this.#rosterChanged();
      for (const member of this.#members.values()) this.#expectKeys(member);
    });
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

  onChange(listener: (id: string, change: PeerChange) => void): void {
    this.#changes.onChange(listener);
  }

  /** The members as the peer server needs them; a view of its own since its onChange means another thing. */
  get roster(): Roster {
    return {
      records: () => this.records(),
      told: () => this.#told.withLeft(),
      digest: () => this.#told.digest(),
      missingFrom: (versions) => this.#told.missingFrom(versions),
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
    return this.#told.records();
  }

  /** @returns whether all of it was looked at */
  tell(records: PeerRecord[], from: string): Promise<Intake> {
    return this.#intake.tell(records, from);
  }

  admit(record: PeerRecord): Promise<void> {
    const { own, identity, gate } = this.#deps;
    const vouched = { ...record, vouch: signVouch(record.id, own.id, identity.key) };
    return this.#intake.serially(async () => {
      gate.mustNotBeBanned(record, own.record().name);
      await this.#removed.welcome([record.id]);
      await this.#intake.takeWanted([vouched], own.id);
      this.get(record.id)?.hurry();
    });
  }

  /** Approvals and bans may be others: who waits and who is a member is looked at again. */
  reconsider(): Promise<void> {
    const { gate, own } = this.#deps;
    return this.#intake.serially(async () => {
      for (const { objectName, record } of [...this.#members.values()])
        if (this.#isBanned(record.id)) await this.#objects.delete(objectName);
      await this.#intake.takeWanted(gate.takeApproved(), own.id);
    });
  }

  /** As a newcomer: takes over the roster that the inviting member answered. */
  async accept(told: PeerRecord[], inviterId: string): Promise<void> {
    const records = told.filter(({ id }) => id === inviterId || !this.#isBanned(id));
    const inviter = records.find((record) => record.id === inviterId);
    if (inviter !== undefined) await this.admit(inviter);
    await this.#intake.serially(async () => {
      await this.#removed.welcome(records.map((record) => record.id));
      // Who joins takes the federation as it is.
      await this.#intake.takeWanted(records, inviterId);
    });
    for (const { id } of records) this.get(id)?.hurry();
  }

  /** Joins streams of others that cannot reach each other. */
  get relayServer(): PeerStreamServer {
    return this.#relays.server;
  }

  /** Tells everybody who can be reached that this is no member any more, and forgets them all. Bounded in time. */
  async leave(): Promise<void> {
    const { own, clock, logger } = this.#deps;
    await own.leave();
    const told = await sayFarewell(this.list(), own.record(), clock);
    await this.#intake.serially(async () => {
      for (const { objectName } of this.#members.values()) await this.#objects.delete(objectName);
      await this.#removed.clear();
    });
    logger.info({ told }, 'left the federation');
  }

  /** Keeps links to all members until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    for (const member of this.#members.values()) this.#start(member);
    await tickLinks(() => this.list(), this.#deps.clock, signal);
    for (const { stop } of this.#members.values()) stop.abort();
  }

  #createIntake(): RecordIntake {
    const { own, clock, logger } = this.#deps;
    return new RecordIntake({
      known: {
        get: (id) => (id === own.id ? own.record() : this.#recordOf(id, true)),
        unusable: (id) => this.#recordOf(id, false),
      },
      isIgnored: ({ id }) =>
        id === own.id || own.record().left === true || this.#removed.isForgotten(id) || this.#isBanned(id),
      removed: this.#removed,
      problemOf: (newcomer, isWanted) => this.#vouchers().problemOf(newcomer, isWanted),
      carryOut: (decision, told) => this.#writer.carryOut(decision, told),
      clock,
      logger,
    });
  }

  #vouchers(): VoucherTree {
    const { own, limits } = this.#deps;
    this.#voucherTree ??= new VoucherTree(this.#knownRecords(), own.id, limits);
    return this.#voucherTree;
  }

  #recordOf(id: string, usable: boolean): PeerRecord | undefined {
    const member = this.#members.get(id);
    return member !== undefined && (member.link.unusable === undefined) === usable ? member.record : undefined;
  }

  #onObject(name: string, after: PeerObject | undefined, before: PeerObject | undefined): void {
    if (before !== undefined && before.spec.id !== after?.spec.id) this.#remove(before.spec.id, before);
    if (after === undefined || after.spec.id === this.#deps.own.id) return;
    const problem = problemOfRecord(after.spec);
    if (this.#isBanned(after.spec.id)) this.#keepOut(name, after.spec.id);
    else if (problem === undefined) this.#adopt(after);
    else this.#onUnusable(after, problem);
  }

  /** Changed by hand, or written by another version. That is no reason to take a member for gone. */
  #onUnusable(peer: PeerObject, problem: string): void {
    const { metadata, spec } = peer;
    const member = this.#members.get(spec.id);
    if (member?.link.unusable === problem) return;
    this.#deps.logger.warn({ peer: metadata.name, problem }, 'the record in a Peer object cannot be used');
    if (member === undefined) this.#add(peer, problem);
    else if (member.link.unusable !== undefined) member.link.unusable = problem;
    else
      this.#soon(
        () => this.#objects.update(member.objectName, spec, member.record),
        'record of a member not put right',
      );
  }

  #adopt(peer: PeerObject): void {
    const { metadata, spec: record } = peer;
    const member = this.#members.get(record.id);
    if (member === undefined) return void this.#add(peer);
    member.uid = metadata.uid;
    const wasUnusable = member.link.unusable !== undefined;
    if (!wasUnusable && versionOf(record) <= versionOf(member.record)) return;
    member.record = record;
    member.link.update(record);
    this.#expectKeys(member);
    if (wasUnusable) this.#voucherTree = undefined;
    if (wasUnusable) this.#start(member);
    this.#rosterChanged();
  }

  #add({ metadata: { name: objectName, uid }, spec: record, status }: PeerObject, problem?: string): void {
    const { id } = record;
    const { own, serving, dialing } = this.#deps;
    const link = new MemberLink(objectName, record, {
      ...this.#deps,
      ownId: own.id,
      shownState: status?.state,
      dialThroughOthers: (latest, signal) => this.#relays.dial(latest, signal),
      dialDirectly: (latest, last, signal) => dialing.toPeer(latest, last, signal),
      dialAlone: (latest, endpoint, signal) => dialing.alone(latest, endpoint, signal),
      serve: (stream) => serving.serve(id, stream),
      onChange: (change) => this.#onLinkChange(id, change),
      onRecords: (records) => void this.#tell(records, id),
      onDigest: (digest) => this.#exchange.heard(id, digest),
      onWay: () => this.reach.refresh(),
      onReach: () => this.#hearsayChanged(),
    });
    link.unusable = problem;
    const member: Member = { objectName, uid, record, link, stop: new AbortController() };
    this.#members.set(id, member);
    if (problem === undefined) this.#voucherTree?.add(record);
    this.#expectKeys(member);
    this.#changes.tell(id, 'added');
    this.#start(member);
    this.#rosterChanged();
  }

  /** What was opened by keys that are replaced gives way to what is opened by the present ones. */
  #expectKeys({ record, link }: Member): void {
    link.expectKeys({ own: keyGenerationOf(this.#deps.own.record()), peer: keyGenerationOf(record) });
  }

  #remove(id: string, object: KubeObject): void {
    const member = this.#members.get(id);
    if (member === undefined || (member.uid !== undefined && member.uid !== object.metadata.uid)) return;
    this.#members.delete(id);
    this.#voucherTree = undefined;
    const { own, logger } = this.#deps;
    // By hand; not when it left, or we did.
    if (!this.#removed.has(id) && own.record().left !== true)
      this.#soon(() => this.#removed.forget(id), 'removal of a member not kept');
    member.stop.abort();
    this.#exchange.gone(id);
    this.#disbelief.forget(id);
    this.#intake.forget(id);
    logger.info({ peer: member.objectName, id }, 'member removed');
    this.#changes.tell(id, 'removed');
    this.#rosterChanged();
  }

  /** Once this runs, and not when it has ended: nobody would end the link any more. */
  #start({ link, stop }: Member): void {
    if (this.#signal?.aborted === false && link.unusable === undefined) void link.run(stop.signal);
  }

  #rosterChanged(): void {
    this.#told.changed();
    for (const listener of this.#rosterListeners) listener();
    this.#exchange.look();
  }

  /** It was banned while this agent was away, or its object was made by hand. */
  #keepOut(objectName: string, id: string): void {
    this.#soon(async () => {
      await this.#removed.forget(id);
      await this.#objects.delete(objectName);
    }, 'Peer object of a banned cluster not deleted');
  }

  #isBanned(id: string): boolean {
    return this.#deps.gate.banned().includes(id);
  }

  /** Those that can be used. */
  #knownRecords(): Map<string, PeerRecord> {
    const usable = [...this.#members].filter(([, { link }]) => link.unusable === undefined);
    return new Map(usable.map(([id, { record }]) => [id, record]));
  }

  /** How to ask a peer for what is missing here. */
  #differenceWith(id: string) {
    const link = this.get(id);
    if (link === undefined || link.state === 'Unreachable') return undefined;
    return (versions: RosterVersions, signal: AbortSignal) => link.rosterDifference(versions, signal);
  }

  #hearsayChanged(): void {
    for (const link of this.list()) if (link.state === 'Unreachable') this.#changes.tell(link.id, 'state');
  }

  #onLinkChange(id: string, change: PeerChange): void {
    this.#changes.tell(id, change);
    if (change === 'state') this.#exchange.look();
  }

  #tell(records: PeerRecord[], from: string): Promise<unknown> {
    return this.#intake
      .tell(records, from)
      .catch((err: unknown) => this.#deps.logger.warn({ err }, 'members not stored'));
  }

  /** After what is under way. */
  #soon(write: () => Promise<unknown>, failure: string): void {
    this.#intake.serially(write).catch((err: unknown) => this.#deps.logger.warn({ err }, failure));
  }
}
