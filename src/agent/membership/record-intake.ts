import { setImmediate } from 'node:timers/promises';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import {
  considerRecord,
  costOfRecord,
  inOrderOfVouching,
  type KnownMembers,
  type RecordDecision,
  unvouched,
} from '../../core/membership/roster.ts';
import { type Bucket, type RateLimit, takeToken, takeTokens } from '../../core/rate-limit.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import { oneAtATime } from '../../runtime/one-at-a-time.ts';

export interface RecordIntakeDeps {
  known: KnownMembers;
  /** Whether a record is of no interest, whatever it says; a look at IDs and no more. */
  isIgnored(record: PeerRecord): boolean;
  /** Members that left: theirs is looked at only where it says that they are back. */
  removed: { has(id: string): boolean; refuses(record: PeerRecord): boolean };
  /** Why a newcomer cannot come in, before anything of it is verified; undefined when it can. */
  problemOf(newcomer: PeerRecord, isWanted: boolean): string | undefined;
  /** Carries out what was decided; what it changes is in `known` when it returns. */
  carryOut(decision: RecordDecision, told: { from: string; isWanted: boolean }): Promise<void>;
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
  /** Trusted: the inviter of a cluster that joins, and this cluster itself. */
  isWanted: boolean;
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
  readonly #serially = oneAtATime();
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

  /** One after the other with what is taken in. */
  serially<T>(work: () => Promise<T>): Promise<T> {
    return this.#serially(work);
  }

  /** @returns whether all of it was looked at; else it has to be told again */
  tell(records: readonly PeerRecord[], from: string): Promise<Intake> {
    return new Promise((done, failed) => {
      const waiting = this.#waiting.get(from) ?? [];
      this.#waiting.set(from, waiting);
      const wanted = this.#wanted(records);
      waiting.push({ records: wanted, from, isWanted: false, outcome: 'all', done, failed });
      if (waiting.length > MAX_WAITING) {
        waiting.shift()?.done('part');
        this.#say({ from }, TOO_MUCH);
      }
      void this.#serially(() => this.#nextOf(from));
    });
  }

  /** The same where nobody waits for it. */
  note(records: readonly PeerRecord[], from: string): void {
    this.tell(records, from).catch((err: unknown) => this.#deps.logger.warn({ err }, 'members not stored'));
  }

  /** For who is in `serially` already: takes in all that somebody tells whom this cluster trusts. */
  async takeWanted(records: readonly PeerRecord[], from: string): Promise<void> {
    await new Promise<Intake>((done, failed) => {
      const batch = { records: this.#wanted(records), from, isWanted: true, outcome: 'all', done, failed } as const;
      void this.#take(batch, Number.POSITIVE_INFINITY);
    });
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

  *#wanted(records: readonly PeerRecord[]): Generator<PeerRecord, void> {
    const { known, isIgnored } = this.#deps;
    for (const record of inOrderOfVouching(records, known)) if (!isIgnored(record)) yield record;
  }

  async #nextOf(from: string): Promise<void> {
    const batch = this.#waiting.get(from)?.shift();
    if (batch === undefined) return;
    if (await this.#take(batch, SIGNATURES_A_TURN)) return;
    // The rest of it, after those who waited meanwhile.
    const waiting = this.#waiting.get(from);
    if (waiting === undefined) return batch.done('part');
    waiting.unshift(batch);
    void this.#serially(() => this.#nextOf(from));
  }

  /** @returns false when it stopped with records left, after `most` signatures */
  async #take(batch: Batch, most: number): Promise<boolean> {
    try {
      for (let spent = 0; spent < most; ) {
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
    const { known, removed, carryOut } = this.#deps;
    const cost = costOfRecord(record, known);
    const reason = this.#problemOf(record, batch, cost);
    if (reason !== undefined) {
      await carryOut({ type: 'reject', id: record.id, reason }, batch);
      return 0;
    }
    if (!batch.isWanted && !this.#pay(batch.from, cost)) {
      batch.outcome = 'part';
      return 0;
    }
    await this.#breathe(cost);
    if (removed.has(record.id) && (cost === 0 || removed.refuses(record))) return cost;
    const verdict = considerRecord(record, known);
    if (verdict === 'unknown-voucher') await carryOut(unvouched(record), batch);
    else if (verdict !== 'old' && !(verdict.type === 'update' && this.#isEarly(verdict.record, batch)))
      await carryOut(verdict, batch);
    return cost;
  }

  /** Of a newcomer that could come in. */
  #problemOf(record: PeerRecord, { isWanted }: Batch, cost: number): string | undefined {
    const { known, problemOf } = this.#deps;
    const isKnown = known.get(record.id) !== undefined || known.unusable(record.id) !== undefined;
    return cost === 0 || isKnown ? undefined : problemOf(record, isWanted);
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
  #isEarly(record: PeerRecord, { isWanted }: Batch): boolean {
    const { known, clock, logger } = this.#deps;
    const { id } = record;
    // A key that is replaced: that is as often as there are keys.
    if (isWanted || known.get(id)?.certificate !== record.certificate) return false;
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
    const { clock } = this.#deps;
    await clock.sleep(1_000 / CHANGES.perSecond);
    await this.#serially(async () => {
      const record = this.#late.get(id);
      this.#late.delete(id);
      if (record === undefined) return;
      this.#changes.set(id, { tokens: 0, at: clock.monotonic() });
      await this.takeWanted([record], id);
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
