import type { PeerRecord } from '../../core/membership/peer-record.ts';
import type { RosterVersions } from '../../core/membership/roster-digest.ts';
import type { Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { ReplyOf } from '../../wire/definition.ts';
import type { ENDPOINTS } from '../../wire/endpoints.ts';

/** The records that the caller lacks, and the digest of all that the callee has. */
export type RosterDifference = ReplyOf<typeof ENDPOINTS.rosterDifference>;

export interface RosterExchangeDeps {
  own: { digest(): string; versions(): RosterVersions };
  /** What a peer has that is missing here; undefined when it cannot be asked now. */
  ask(peerId: string): ((versions: RosterVersions, signal: AbortSignal) => Promise<RosterDifference>) | undefined;
  /** Takes over what a peer told; gives `part` where it did not look at all of it. */
  tell(records: PeerRecord[], peerId: string): Promise<unknown>;
  clock: Clock;
  logger: Logger;
}

/** Most who know something new know the same: asking one at a time saves the rest. A second, in case the first one hangs. */
const MAX_ASKED_AT_ONCE = 2;
const ASK_WITHIN_MS = 3_000;
/** The next question to the same peer: whatever digests it says, it does not keep us busy. */
const REST_MS = 100;
const REST_AFTER_FAILURE_MS = 2_000;
/** It said more than is looked at, at once. */
const REST_AFTER_MUCH_MS = 10_000;

/**
 * Anti-entropy: each peer says the digest of what it knows, and is asked for what is missing here where that is another one.
 * What it answered is settled until one of the two digests changes: members may differ for good, in whom they removed.
 */
export class RosterExchange {
  readonly #deps: RosterExchangeDeps;
  /** The last digest of each peer; who said it last comes last. */
  readonly #theirs = new Map<string, string>();
  readonly #settled = new Map<string, string>();
  readonly #asked = new Set<string>();
  readonly #resting = new Set<string>();

  constructor(deps: RosterExchangeDeps) {
    this.#deps = deps;
  }

  /** A peer said the digest of what it knows. */
  heard(peerId: string, digest: string): void {
    this.#theirs.delete(peerId);
    this.#theirs.set(peerId, digest);
    this.look();
  }

  gone(peerId: string): void {
    this.#theirs.delete(peerId);
    this.#settled.delete(peerId);
  }

  /** Asks whoever may know more; to be called also when what is known here changed, or whom can be asked. */
  look(): void {
    for (const [peerId, theirs] of this.#theirs) {
      if (this.#asked.size >= MAX_ASKED_AT_ONCE) return;
      const own = this.#deps.own.digest();
      const isSettled = theirs === own || this.#settled.get(peerId) === pairOf(theirs, own);
      if (!isSettled && !this.#asked.has(peerId) && !this.#resting.has(peerId)) void this.#ask(peerId);
    }
  }

  async #ask(peerId: string): Promise<void> {
    const { own, clock, logger, tell } = this.#deps;
    const ask = this.#deps.ask(peerId);
    if (ask === undefined) return;
    this.#asked.add(peerId);
    let restMs = REST_MS;
    try {
      const answer = await withDeadline(clock, { ms: ASK_WITHIN_MS }, (signal) => ask(own.versions(), signal));
      const taken = await tell(answer.records, peerId);
      if (taken === 'part') restMs = REST_AFTER_MUCH_MS;
      else if (this.#theirs.has(peerId)) {
        this.#theirs.set(peerId, answer.digest);
        this.#settled.set(peerId, pairOf(answer.digest, own.digest()));
      }
    } catch (err) {
      logger.debug({ peerId, err }, 'roster not compared');
      restMs = REST_AFTER_FAILURE_MS;
    }
    this.#asked.delete(peerId);
    this.#resting.add(peerId);
    this.look();
    await clock.sleep(restMs);
    this.#resting.delete(peerId);
    this.look();
  }
}

const pairOf = (theirs: string, own: string): string => `${theirs} ${own}`;
