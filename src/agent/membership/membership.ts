import type { KubeObject } from '../../core/kube-objects.ts';
import type { PeerObject } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { keyGenerationOf, versionOf } from '../../core/membership/record-version.ts';
import type { RosterVersions } from '../../core/membership/roster-digest.ts';
import { problemOfRecord, signVouch } from '../../core/membership/signed-record.ts';
import type { MemberLimits } from '../../core/membership/voucher-tree.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Store } from '../../kube/store.ts';
import type { ClientIdentity } from '../../peering/dial-peer.ts';
import type { Peers } from '../../peering/peers.ts';
import type { CallHandlers } from '../../peering/serving.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { OwnMember, Roster } from '../ports.ts';
import type { AdmissionGate } from './admission-gate.ts';
import { DecisionWriter } from './decision-writer.ts';
import { DisbeliefLog } from './disbelief-log.ts';
import { sayFarewell } from './farewell.ts';
import { Lineage } from './lineage.ts';
import { PeerObjectWriter } from './peer-object-writer.ts';
import { type Intake, RecordIntake } from './record-intake.ts';
import { RemovedMembers, type RemovedMembersStore } from './removed-members.ts';
import { RosterExchange } from './roster-exchange.ts';
import { ToldRoster } from './told-roster.ts';

export interface MembershipDeps {
  client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'delete'>;
  peers: Store<PeerObject>;
  identity: ClientIdentity;
  own: OwnMember;
  /** The ways to the members. */
  ways: Peers;
  /** Whether newcomers that others vouch for come in at once. */
  gate: AdmissionGate;
  /** Members that are none any more, kept over restarts. */
  removed: RemovedMembersStore;
  /** Where they are others than those of core. */
  limits?: Partial<MemberLimits>;
  clock: Clock;
  logger: Logger;
}

interface Member {
  objectName: string;
  uid: string | undefined;
  record: PeerRecord;
  /** Why its stored record cannot be used: until there is another one nothing connects, and nobody is told of it. */
  unusable: string | undefined;
}

/** The other members: kept as Peer objects. A Peer object that is deleted is a member no more. */
export class Membership {
  readonly #deps: MembershipDeps;
  readonly #members = new Map<string, Member>();
  readonly #rosterListeners: (() => void)[] = [];
  readonly #removed: RemovedMembers;
  readonly #disbelief: DisbeliefLog;
  /** Writes go one after the other, so that two tellers of the same newcomer make one object. */
  readonly #intake: RecordIntake;
  readonly #objects: PeerObjectWriter;
  readonly #writer: DecisionWriter;
  readonly #told: ToldRoster;
  readonly #exchange: RosterExchange;
  readonly #lineage: Lineage;

  constructor(deps: MembershipDeps) {
    this.#deps = deps;
    const { identity, clock, own, logger, ways } = deps;
    this.#removed = new RemovedMembers(deps.removed);
    this.#objects = new PeerObjectWriter(deps.client);
    this.#disbelief = new DisbeliefLog(logger);
    const members = (): Map<string, PeerRecord> => this.#knownRecords();
    const { limits = {}, gate } = deps;
    this.#lineage = new Lineage({ ownId: own.id, members, removed: this.#removed, gate, limits, clock });
    this.#writer = new DecisionWriter({
      ...deps,
      removed: this.#removed,
      disbelief: this.#disbelief,
      objects: this.#objects,
      members: this.#members,
      lineage: this.#lineage,
      onOwn: (record) => own.hear(record, clock.monotonic()),
      adopt: (peer) => this.#adopt(peer),
    });
    this.#intake = this.#createIntake();
    const refused = (): string[] => [...this.#removed.forgotten(), ...deps.gate.banned()];
    const mayVouchFor = (record: PeerRecord): boolean => this.#lineage.mayVouchFor(record);
    this.#told = new ToldRoster({ own, identity, members, refused, removed: this.#removed, mayVouchFor });
    this.#exchange = new RosterExchange({
      own: this.#told,
      ask: (id) => this.#differenceWith(id),
      tell: (records, id) => this.tell(records, id),
      clock,
      logger,
    });
    ways.onNews({
      onRecords: (id, records) => this.#intake.note(records, id),
      onDigest: (id, digest) => this.#exchange.heard(id, digest),
    });
    ways.onChange((_id, change) => {
      if (change === 'state') this.#exchange.look();
    });
    deps.peers.onChange((name, after, before) => this.#onObject(name, after, before));
    own.onChange(() => {
      this.#rosterChanged();
      for (const member of this.#members.values()) this.#expectKeys(member);
    });
  }

  /** Why the stored record of a member cannot be used; undefined when it can. */
  unusable(id: string): string | undefined {
    return this.#members.get(id)?.unusable;
  }

  /** The members, as others need them. */
  get roster(): Roster {
    return {
      records: () => this.records(),
      told: () => this.#told.withLeft(),
      digest: () => this.#told.digest(),
      onChange: (listener) => void this.#rosterListeners.push(listener),
    };
  }

  /** What members ask each other about members. */
  get calls(): Pick<CallHandlers, 'roster' | 'rosterDifference'> {
    return {
      roster: async ({ peerId, body }) => {
        await this.tell(body.records, peerId);
        return {};
      },
      rosterDifference: ({ body }) => ({
        digest: this.#told.digest(),
        records: this.#told.missingFrom(body.versions),
      }),
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
      await this.#removed.welcomeBack(record);
      await this.#intake.takeWanted([vouched], own.id);
      this.#deps.ways.hurry([record.id]);
    });
  }

  /** Approvals and bans may be others: who waits and who is a member is looked at again. */
  reconsider(): Promise<void> {
    const { gate, own } = this.#deps;
    return this.#intake.serially(async () => {
      const out = [...this.#members.values()].filter(({ record }) => this.#lineage.isKeptOut(record));
      for (const { objectName } of out) await this.#objects.delete(objectName);
      if (gate.isOtherBan()) this.#rosterChanged();
      for (const record of this.#lineage.release()) await this.#intake.takeWanted([record], own.id);
    });
  }

  /** IDs of those by whose word a member came in, the nearest first. */
  cameThrough(id: string): string[] {
    const record = this.#members.get(id)?.record;
    return record === undefined ? [] : this.#lineage.of(record);
  }

  /** As a newcomer: takes over the roster that the inviting member answered. */
  async accept(told: PeerRecord[], inviterId: string): Promise<void> {
    const records = told.filter(({ id }) => id === inviterId || !this.#deps.gate.banned().includes(id));
    const inviter = records.find((record) => record.id === inviterId);
    if (inviter !== undefined) await this.admit(inviter);
    await this.#intake.serially(async () => {
      await this.#removed.welcome(records.map((record) => record.id));
      // Who joins takes the federation as it is, those that waited here included.
      for (const { id } of records) this.#deps.gate.release(id);
      await this.#intake.takeWanted(records, inviterId);
    });
    this.#deps.ways.hurry(records.map(({ id }) => id));
  }

  /** Tells everybody who can be reached that this is no member any more, and forgets them all. Bounded in time. */
  async leave(): Promise<void> {
    const { own, clock, logger, ways } = this.#deps;
    await own.leave();
    const told = await sayFarewell(ways.list(), own.record(), clock);
    await this.#intake.serially(async () => {
      for (const { objectName } of this.#members.values()) await this.#objects.delete(objectName);
      await this.#removed.clear();
    });
    logger.info({ told }, 'left the federation');
  }

  #createIntake(): RecordIntake {
    const { own, clock, logger } = this.#deps;
    return new RecordIntake({
      known: {
        get: (id) => (id === own.id ? own.record() : this.#recordOf(id, true)),
        unusable: (id) => this.#recordOf(id, false),
      },
      isIgnored: (record) =>
        own.record().left === true ||
        this.#removed.isForgotten(record.id) ||
        this.#deps.gate.isWaiting(record) ||
        this.#lineage.isKeptOut(record),
      removed: this.#removed,
      problemOf: (newcomer, isWanted) => this.#lineage.hopelessnessOf(newcomer, isWanted),
      carryOut: (decision, told) => this.#writer.carryOut(decision, told),
      clock,
      logger,
    });
  }

  #recordOf(id: string, usable: boolean): PeerRecord | undefined {
    const member = this.#members.get(id);
    return member !== undefined && (member.unusable === undefined) === usable ? member.record : undefined;
  }

  #onObject(name: string, after: PeerObject | undefined, before: PeerObject | undefined): void {
    if (before !== undefined && before.spec.id !== after?.spec.id) this.#remove(before.spec.id, before);
    if (after === undefined || after.spec.id === this.#deps.own.id) return;
    const problem = problemOfRecord(after.spec);
    if (this.#lineage.isKeptOut(after.spec)) this.#keepOut(name, after.spec);
    else if (problem === undefined) this.#adopt(after);
    else this.#onUnusable(after, problem);
  }

  /** Changed by hand, or written by another version. That is no reason to take a member for gone. */
  #onUnusable(peer: PeerObject, problem: string): void {
    const { metadata, spec } = peer;
    const member = this.#members.get(spec.id);
    if (member?.unusable === problem) return;
    this.#deps.logger.warn({ peer: metadata.name, problem }, 'the record in a Peer object cannot be used');
    if (member === undefined) this.#add(peer, problem);
    else if (member.unusable !== undefined) member.unusable = problem;
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
    const wasUnusable = member.unusable !== undefined;
    if (!wasUnusable && versionOf(record) <= versionOf(member.record)) return;
    member.record = record;
    member.unusable = undefined;
    this.#deps.ways.update(record);
    this.#expectKeys(member);
    if (wasUnusable) this.#lineage.changed();
    this.#rosterChanged();
  }

  #add({ metadata: { name: objectName, uid }, spec: record, status }: PeerObject, unusable?: string): void {
    const member: Member = { objectName, uid, record, unusable };
    this.#members.set(record.id, member);
    if (unusable === undefined) this.#lineage.add(record);
    const identity = { record, name: objectName, shownState: status?.state };
    this.#deps.ways.add(identity, unusable === undefined);
    this.#expectKeys(member);
    this.#rosterChanged();
  }

  /** What was opened by keys that are replaced gives way to what is opened by the present ones. */
  #expectKeys({ record }: Member): void {
    const keys = { own: keyGenerationOf(this.#deps.own.record()), peer: keyGenerationOf(record) };
    this.#deps.ways.expectKeys(record.id, keys);
  }

  #remove(id: string, object: KubeObject): void {
    const member = this.#members.get(id);
    if (member === undefined || (member.uid !== undefined && member.uid !== object.metadata.uid)) return;
    this.#members.delete(id);
    const { own, logger, clock, ways } = this.#deps;
    // It may come back once it is approved, or the ban is over.
    const isWithAnother = this.#lineage.isKeptOutWithAnother(member.record);
    this.#removed.went(member.record, this.#knownRecords().values(), clock.now());
    this.#lineage.changed();
    // By hand, and not when it left.
    if (own.record().left !== true)
      this.#soon(
        () => (this.#removed.has(id) || isWithAnother ? this.#removed.save() : this.#removed.forget(id)),
        'removal of a member not kept',
      );
    this.#exchange.gone(id);
    this.#disbelief.forget(id);
    this.#intake.forget(id);
    logger.info({ peer: member.objectName, id }, 'member removed');
    ways.remove(id);
    this.#rosterChanged();
  }

  #rosterChanged(): void {
    this.#told.changed();
    for (const listener of this.#rosterListeners) listener();
    this.#exchange.look();
  }

  /** It was banned while this agent was away, or its object was made by hand. */
  #keepOut(objectName: string, record: PeerRecord): void {
    this.#soon(async () => {
      if (!this.#lineage.isKeptOutWithAnother(record)) await this.#removed.forget(record.id);
      await this.#objects.delete(objectName);
    }, 'Peer object of a banned cluster not deleted');
  }

  /** Those that can be used. */
  #knownRecords(): Map<string, PeerRecord> {
    const usable = [...this.#members].filter(([, { unusable }]) => unusable === undefined);
    return new Map(usable.map(([id, { record }]) => [id, record]));
  }

  /** How to ask a peer for what is missing here. */
  #differenceWith(id: string) {
    const peer = this.#deps.ways.get(id);
    if (peer === undefined || peer.state === 'Unreachable') return undefined;
    return (versions: RosterVersions, signal: AbortSignal) =>
      peer.call('rosterDifference', { body: { versions } }, signal);
  }

  /** After what is under way. */
  #soon(write: () => Promise<unknown>, failure: string): void {
    this.#intake.serially(write).catch((err: unknown) => this.#deps.logger.warn({ err }, failure));
  }
}
