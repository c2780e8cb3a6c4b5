import { messageOf } from '../../core/coded-error.ts';
import type { Told } from '../../core/membership/judge-record.ts';
import type { PeerObject } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import type { RecordDecision } from '../../core/membership/roster.ts';
import { isInvalid } from '../../kube/api-error.ts';
import type { Store } from '../../kube/store.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { OwnIdentity } from '../ports.ts';
import type { AdmissionGate } from './admission-gate.ts';
import type { DisbeliefLog } from './disbelief-log.ts';
import type { Lineage } from './lineage.ts';
import type { PeerObjectWriter } from './peer-object-writer.ts';
import type { RemovedMembers } from './removed-members.ts';

export interface DecisionWriterDeps {
  own: OwnIdentity;
  gate: AdmissionGate;
  lineage: Pick<Lineage, 'limitFor'>;
  removed: RemovedMembers;
  disbelief: DisbeliefLog;
  objects: PeerObjectWriter;
  peers: Pick<Store<PeerObject>, 'list'>;
  members: ReadonlyMap<string, { objectName: string; record: PeerRecord }>;
  /** This member's own record, newer than the one that it has, and signed by its key or a later one. */
  onOwn(record: PeerRecord): Promise<void>;
  /** What the object says is so from now on. */
  adopt(peer: PeerObject): void;
  logger: Logger;
}

/** Carries out what is decided about records that were told. */
export class DecisionWriter {
  readonly #deps: DecisionWriterDeps;

  constructor(deps: DecisionWriterDeps) {
    this.#deps = deps;
  }

  async carryOut(decision: RecordDecision, told: Told): Promise<void> {
    const { disbelief, own } = this.#deps;
    const id = decision.type === 'reject' ? decision.id : decision.record.id;
    if (id === own.id) return decision.type === 'reject' ? undefined : this.#deps.onOwn(decision.record);
    // The same story comes with each session.
    if (decision.type === 'reject') return disbelief.say(decision, told.from);
    try {
      await this.#write(decision, told);
    } catch (error) {
      if (!isInvalid(error)) throw error;
      // Other records go on.
      disbelief.say({ id: decision.record.id, reason: `it cannot be stored: ${messageOf(error)}` }, told.from);
    }
  }

  async #write({ type, record }: Exclude<RecordDecision, { type: 'reject' }>, told: Told): Promise<void> {
    if (type === 'leave') await this.#leave(record);
    else if (type === 'update') await this.#update(record);
    else if (this.#mayEnter(record, told)) await this.#create(record, told.from);
  }

  #mayEnter(record: PeerRecord, { isWanted, from }: Told): boolean {
    if (isWanted) return true;
    const { lineage, gate, disbelief } = this.#deps;
    const reason = lineage.limitFor(record);
    if (reason !== undefined) disbelief.say({ id: record.id, reason }, from);
    return gate.admits(record, reason);
  }

  async #leave(record: PeerRecord): Promise<void> {
    const { members, removed, objects, logger } = this.#deps;
    const member = members.get(record.id);
    if (removed.isOutlived(record)) return;
    await removed.leave(record);
    if (member === undefined) return;
    logger.info({ peer: member.objectName, id: record.id }, 'member left');
    await objects.delete(member.objectName);
  }

  async #create(record: PeerRecord, from: string): Promise<void> {
    const { own, gate, logger, peers, members, removed, objects, adopt } = this.#deps;
    gate.release(record.id);
    await removed.welcomeBack(record);
    const taken = new Map<string, string>(peers.list().map((peer) => [peer.metadata.name, peer.spec.id]));
    for (const { objectName, record: other } of members.values()) taken.set(objectName, other.id);
    taken.set(own.record().name, own.id);
    const created = await objects.create(record, taken);
    logger.info({ peer: created.metadata.name, id: record.id, from }, 'new member');
    adopt(created);
  }

  async #update(record: PeerRecord): Promise<void> {
    const { members, objects, adopt } = this.#deps;
    const member = members.get(record.id);
    if (member !== undefined) adopt(await objects.update(member.objectName, member.record, record));
  }
}
