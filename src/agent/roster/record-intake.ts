import { setImmediate } from 'node:timers/promises';
import { judgeRecord, objectionTo, worthALook } from '../../core/membership/judge-record.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { costOfRecord, type RecordDecision } from '../../core/membership/roster.ts';
import { type Bucket, type RateLimit, takeToken, takeTokens } from '../../core/rate-limit.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { MembersToHear } from '../ports.ts';

export interface RecordIntakeDeps {
  members: MembersToHear;
  clock: Clock;
  logger: Logger;
}

/** How much of what a teller said was looked at. */
export type Intake = 'all' | 'part';

/**
 * Signatures (about 0.2 ms each) that are verified for one teller: at once a roster as large as there can be, or fifty members that
 * replaced their keys for years; then as many as honest members change. What is over that is told again.
 */
const SIGNATURES: RateLimit = { burst: 2_000, perSecond: 10 };
/** Between two turns of the event loop; a single record costs 75 at most. */
const SIGNATURES_AT_A_STRETCH = 25;
/** After as many another teller's turn comes, so that nobody waits for who has much to say. */
const SIGNATURES_A_TURN = 100;
/** What one teller said and was not looked at yet: of more the oldest goes. */
const MAX_WAITING = 4;
/** A member changes its record some times when it starts, and hardly ever after that; each change is a write on each member. */
const CHANGES: RateLimit = { burst: 10, perSecond: 0.1 };

const TOO_MUCH = 'this member tells more than is looked at; the rest waits until it is told again';

interface Batch {
  records: Iterator<PeerRecord, void>;
  from: string;
  outcome: Intake;
  done(outcome: Intake): void;
  failed(error: unknown): void;
}

/**
 * Takes in what others tell about members, at a cost that is bounded for each teller: the event loop goes on between records, no
 * signature is verified twice, and no member is written more often than members change.
 */
export class RecordIntake {
  readonly #deps: RecordIntakeDeps;
  readonly #signatures = new Map<string, Bucket>();
  readonly #waiting = new Map<string, Batch[]>();
  /** By member: how often it changed, and its last change that waits. */
  readonly #changes = new Map<string, Bucket>();
  readonly #late = new Map<string, PeerRecord>();
  readonly #said = new Set<string>();
  #sinceYield = 0;

  constructor(deps: RecordIntakeDeps) {
    this.#deps = deps;
  }

  /** @returns whether all of it was looked at; else it has to be told again */
  tell(records: readonly PeerRecord[], from: string): Promise<Intake> {
    return new Promise((done, failed) => {
      const waiting = this.#waiting.get(from) ?? [];
      this.#waiting.set(from, waiting);
      const worth = worthALook(records, this.#deps.members.beliefs);
      waiting.push({ records: worth, from, outcome: 'all', done, failed });
      if (waiting.length > MAX_WAITING) {
        waiting.shift()?.done('part');
        this.#say({ from }, TOO_MUCH);
      }
      void this.#deps.members.serially(() => this.#nextOf(from));
    });
  }

  /** The same where nobody waits for it. */
  note(records: readonly PeerRecord[], from: string): void {
    this.tell(records, from).catch((err: unknown) => this.#deps.logger.warn({ err }, 'members not stored'));
  }

  /** The member is none any more. */
  forget(id: string): void {
    this.#signatures.delete(id);
    for (const about of [{ id }, { from: id }]) this.#said.delete(JSON.stringify(about));
    this.#changes.delete(id);
    this.#late.delete(id);
    for (const batch of this.#waiting.get(id) ?? []) batch.done('part');
    this.#waiting.delete(id);
  }

  async #nextOf(from: string): Promise<void> {
    const batch = this.#waiting.get(from)?.shift();
    if (batch === undefined) return;
    if (await this.#take(batch)) return;
    // The rest of it, after those who waited meanwhile.
    const waiting = this.#waiting.get(from);
    if (waiting === undefined) return batch.done('part');
    waiting.unshift(batch);
    void this.#deps.members.serially(() => this.#nextOf(from));
  }

  /** @returns false when it stopped with records left, after as many signatures as there are in a turn */
  async #take(batch: Batch): Promise<boolean> {
    try {
      for (let spent = 0; spent < SIGNATURES_A_TURN; ) {
        const { done, value } = batch.records.next();
        if (done === true) {
          batch.done(batch.outcome);
          return true;
        }
        spent += await this.#consider(value, batch);
      }
      return false;
    } catch (error) {
      batch.failed(error);
      return true;
    }
  }

  /** @returns how many signatures that took */
  async #consider(record: PeerRecord, batch: Batch): Promise<number> {
    const { members } = this.#deps;
    const { beliefs } = members;
    const told = { from: batch.from, isWanted: false };
    const cost = costOfRecord(record, beliefs.known);
    const objection = cost === 0 ? undefined : objectionTo(record, false, beliefs);
    if (objection !== undefined) {
      await members.carryOut(objection, told);
      return 0;
    }
    if (!this.#pay(batch.from, cost)) {
      batch.outcome = 'part';
      return 0;
    }
    await this.#breathe(cost);
    const decision = judgeRecord(record, cost, beliefs);
    if (decision !== undefined && !this.#isEarly(decision)) await members.carryOut(decision, told);
    return cost;
  }

  #pay(from: string, signatures: number): boolean {
    if (signatures === 0) return true;
    const bucket = takeTokens(SIGNATURES, this.#signatures.get(from), {
      now: this.#deps.clock.monotonic(),
      count: signatures,
    });
    if (bucket === undefined) {
      this.#say({ from }, TOO_MUCH);
      return false;
    }
    this.#signatures.set(from, bucket);
    return true;
  }

  async #breathe(signatures: number): Promise<void> {
    if (this.#sinceYield > 0 && this.#sinceYield + signatures > SIGNATURES_AT_A_STRETCH) {
      await setImmediate();
      this.#sinceYield = 0;
    }
    this.#sinceYield += signatures;
  }

  /** A member that changes too often waits, and its last change counts. */
  #isEarly(decision: RecordDecision): boolean {
    if (decision.type !== 'update') return false;
    const { members, clock, logger } = this.#deps;
    const { record } = decision;
    const { id } = record;
    // A key that is replaced: that is as often as there are keys.
    if (members.beliefs.known.get(id)?.certificate !== record.certificate) return false;
    const bucket = takeToken(CHANGES, this.#changes.get(id), clock.monotonic());
    if (bucket !== undefined) {
      this.#changes.set(id, bucket);
      return false;
    }
    const waiting = this.#late.get(id);
    if (waiting === undefined) {
      this.#later(id).catch((err: unknown) => logger.warn({ err }, 'members not stored'));
      this.#say({ id }, 'a member changes its record too often; its last change counts, in a while');
    }
    if (waiting === undefined || waiting.incarnation < record.incarnation) this.#late.set(id, record);
    return true;
  }

  async #later(id: string): Promise<void> {
    const { clock, members } = this.#deps;
    await clock.sleep(1_000 / CHANGES.perSecond);
    await members.serially(async () => {
      const record = this.#late.get(id);
      this.#late.delete(id);
      if (record === undefined) return;
      this.#changes.set(id, { tokens: 0, at: clock.monotonic() });
      await members.takeWanted([record], id);
    });
  }

  /** Once for each. */
  #say(about: { id: string } | { from: string }, message: string): void {
    const key = JSON.stringify(about);
    if (this.#said.has(key)) return;
    this.#said.add(key);
    this.#deps.logger.warn(about, message);
  }
}
