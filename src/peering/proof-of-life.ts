import type { Clock } from '../runtime/clock.ts';
import { withDeadline } from '../runtime/deadline.ts';

export interface ProofOfLifeDeps {
  /** Ends well once a connection of its own showed that the peer is there, with its key; throws when that cannot be had. */
  prove(signal: AbortSignal): Promise<void>;
  onProof(): void;
  clock: Clock;
}

/** A lost packet delays one proof by a second (RFC 6298 §2.1, the SYN); the next one is under way by then. */
const EVERY_MS = 400;
/** One that takes longer comes too late for anything. */
const WITHIN_MS = 1_500;

/**
 * Asks a peer that went quiet for a sign of life beside the connection in use. TCP repeats a packet that was lost several times
 * in a row only after seconds, and nothing else gets through on that connection until then: with 5 % of loss that would be a
 * false alarm every few hours for each peer, while a new connection is up within two round trips. A process that stands still
 * gives no proof: it has to show its key.
 */
export class ProofOfLife {
  readonly #deps: ProofOfLifeDeps;
  #lastAt = Number.NEGATIVE_INFINITY;
  #enough = new AbortController();

  constructor(deps: ProofOfLifeDeps) {
    this.#deps = deps;
  }

  /** The peer is quiet; to be called as long as that is so. */
  seek(now: number): void {
    if (now - this.#lastAt < EVERY_MS) return;
    this.#lastAt = now;
    void this.#try();
  }

  /** The peer was heard: no proof is needed any more. */
  end(): void {
    this.#enough.abort();
    this.#enough = new AbortController();
  }

  async #try(): Promise<void> {
    const { prove, onProof, clock } = this.#deps;
    try {
      await withDeadline(clock, { ms: WITHIN_MS, signal: this.#enough.signal }, prove);
      onProof();
      this.end();
    } catch {
      // No proof is no news: the silence tells.
    }
  }
}
