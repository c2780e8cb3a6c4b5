import { setImmediate } from 'node:timers/promises';
import type { KubeObject } from '../../core/kube-objects.ts';
import { type Beliefs, judgeRecord, objectionTo, worthALook } from '../../core/membership/judge-record.ts';
import type { PeerObject } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { keyGenerationOf, versionOf } from '../../core/membership/record-version.ts';
import { costOfRecord } from '../../core/membership/roster.ts';
import { problemOfRecord, signVouch } from '../../core/membership/signed-record.ts';
import type { MemberLimits } from '../../core/membership/voucher-tree.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Store } from '../../kube/store.ts';
import type { Peers } from '../../peering/peers.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { oneAtATime } from '../../runtime/one-at-a-time.ts';
import type { MembersToHear, MembersToTell, OwnMember } from '../ports.ts';
import type { AdmissionGate } from './admission-gate.ts';
import { DecisionWriter } from './decision-writer.ts';
import { DisbeliefLog } from './disbelief-log.ts';
import { Lineage } from './lineage.ts';
import { PeerObjectWriter } from './peer-object-writer.ts';
import { RemovedMembers, type RemovedMembersStore } from './removed-members.ts';

export interface MembershipDeps {
  client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'delete'>;
  peers: Store<PeerObject>;
  /** Its key may be another one tomorrow. */
  identity: { key: string };
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
  readonly #listeners: ((gone: string | undefined) => void)[] = [];
  readonly #removed: RemovedMembers;
  readonly #disbelief: DisbeliefLog;
  /** Writes go one after the other, so that two tellers of the same newcomer make one object. */
  readonly #serially = oneAtATime();
  readonly #beliefs: Beliefs;
  readonly #objects: PeerObjectWriter;
  readonly #writer: DecisionWriter;
  readonly #lineage: Lineage;

  constructor(deps: MembershipDeps) {
    this.#deps = deps;
    const { clock, own, logger, limits = {}, gate } = deps;
    this.#removed = new RemovedMembers(deps.removed);
    this.#objects = new PeerObjectWriter(deps.client);
    this.#disbelief = new DisbeliefLog(logger);
    const members = (): Map<string, PeerRecord> => this.#knownRecords();
    const { former } = this.#removed;
    this.#lineage = new Lineage({ ownId: own.id, members, former, gate, limits, clock });
    this.#beliefs = this.#createBeliefs();
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
    deps.peers.onChange((name, after, before) => this.#onObject(name, after, before));
    own.onChange(() => {
      this.#changed();
      for (const member of this.#members.values()) this.#expectKeys(member);
    });
  }

  /** Why the stored record of a member cannot be used; undefined when it can. */
  unusable(id: string): string | undefined {
    return this.#members.get(id)?.unusable;
  }

  /** The members, for those who tell others of them. */
  get telling(): MembersToTell {
    const removed = this.#removed;
    return {
      records: () => this.#knownRecords(),
      removed: {
        left: () => removed.left(),
        lastWords: () => removed.lastWords(),
        originOf: (id) => removed.former.originOf(id),
      },
      mayVouchFor: (record) => this.#lineage.mayVouchFor(record),
      refused: () => [...removed.forgotten(), ...this.#deps.gate.banned()],
      onChange: (listener) => void this.#listeners.push(listener),
    };
  }

  /** The members, for those who hear of them. */
  get hearing(): MembersToHear {
    return {
      beliefs: this.#beliefs,
      serially: this.#serially,
      carryOut: (decision, told) => this.#writer.carryOut(decision, told),
      takeWanted: (records, from) => this.#takeWanted(records, from),
    };
  }

  /** Makes a newcomer a member by this cluster's own word. Throws FailedPrecondition for one that is banned. */
  admit(record: PeerRecord): Promise<void> {
    const { own, identity, gate } = this.#deps;
    const vouched = { ...record, vouch: signVouch(record.id, own.id, identity.key) };
    return this.#serially(async () => {
      gate.mustNotBeBanned(record, own.record().name);
      await this.#removed.welcomeBack(record);
      await this.#takeWanted([vouched], own.id);
      this.#deps.ways.hurry([record.id]);
    });
  }

  /** Approvals and bans may be others: who waits and who is a member is looked at again. */
  reconsider(): Promise<void> {
    const { gate, own } = this.#deps;
    return this.#serially(async () => {
      const out = [...this.#members.values()].filter(({ record }) => this.#lineage.isKeptOut(record));
      for (const { objectName } of out) await this.#objects.delete(objectName);
      if (gate.isOtherBan()) this.#changed();
      for (const record of this.#lineage.release()) await this.#takeWanted([record], own.id);
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
    await this.#serially(async () => {
      await this.#removed.welcome(records.map((record) => record.id));
      // Who joins takes the federation as it is, those that waited here included.
      for (const { id } of records) this.#deps.gate.release(id);
      await this.#takeWanted(records, inviterId);
    });
    this.#deps.ways.hurry(records.map(({ id }) => id));
  }

  /** This cluster is alone again, and remembers nobody. */
  clear(): Promise<void> {
    return this.#serially(async () => {
      for (const { objectName } of this.#members.values()) await this.#objects.delete(objectName);
      await this.#removed.clear();
    });
  }

  async #takeWanted(records: readonly PeerRecord[], from: string): Promise<void> {
    const told = { from, isWanted: true };
    for (const record of worthALook(records, this.#beliefs)) {
      const cost = costOfRecord(record, this.#beliefs.known);
      const objection = cost === 0 ? undefined : objectionTo(record, true, this.#beliefs);
      const decision = objection ?? judgeRecord(record, cost, this.#beliefs);
      if (decision !== undefined) await this.#writer.carryOut(decision, told);
      // An inviter may say much; the event loop goes on between records.
      if (cost > 0) await setImmediate();
    }
  }

  #createBeliefs(): Beliefs {
    const { own, gate } = this.#deps;
    return {
      known: {
        get: (id) => (id === own.id ? own.record() : this.#recordOf(id, true)),
        unusable: (id) => this.#recordOf(id, false),
      },
      isIgnored: (record) =>
        own.record().left === true ||
        this.#removed.isForgotten(record.id) ||
        gate.isWaiting(record) ||
        this.#lineage.isKeptOut(record),
      removed: this.#removed,
      problemOf: (newcomer, isWanted) => this.#lineage.hopelessnessOf(newcomer, isWanted),
    };
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
    this.#changed();
  }

  #add({ metadata: { name: objectName, uid }, spec: record, status }: PeerObject, unusable?: string): void {
    const member: Member = { objectName, uid, record, unusable };
    this.#members.set(record.id, member);
    if (unusable === undefined) this.#lineage.add(record);
    const identity = { record, name: objectName, shownState: status?.state };
    this.#deps.ways.add(identity, unusable === undefined);
    this.#expectKeys(member);
    this.#changed();
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
    this.#removed.former.went(member.record, this.#knownRecords().values(), clock.now());
    this.#lineage.changed();
    // By hand, and not when it left.
    if (own.record().left !== true)
      this.#soon(
        () => (this.#removed.has(id) || isWithAnother ? this.#removed.save() : this.#removed.forget(id)),
        'removal of a member not kept',
      );
    this.#disbelief.forget(id);
    logger.info({ peer: member.objectName, id }, 'member removed');
    ways.remove(id);
    this.#changed(id);
  }

  /** @param gone the ID of a member that went */
  #changed(gone?: string): void {
    for (const listener of this.#listeners) listener(gone);
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

  /** After what is under way. */
  #soon(write: () => Promise<unknown>, failure: string): void {
    this.#serially(write).catch((err: unknown) => this.#deps.logger.warn({ err }, failure));
  }
}
