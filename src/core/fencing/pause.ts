import { leaseEndsAt } from './lease.ts';

/**
 * A virtual machine that is paused, saved or moved notices nothing: all its clocks stand still. When it goes on, its wall clock is put
 * right sooner or later, and jumps ahead of the clock that counts leases. What counts a lease takes such a jump for time that has
 * passed; whoever answers the next question makes it good again, so that a clock that was merely set does no harm.
 */
export interface Pause {
  /** When it was noticed, by the clock of leases; questions that were sent before do not count. */
  noticedAt: number;
  /** For how long the machine may have stood still. */
  byMs: number;
}

/** What clocks are put right by in the course of a day is less. */
const MIN_PAUSE_MS = 5_000;
/** After a pause there is this long for a question and its answer, which are tried every 2 s. */
export const AFTER_PAUSE_MS = 5_000;
/** Pauses that follow each other add up; longer ago than any lease lasts they do not matter. */
const REMEMBERED_MS = 86_400_000;

/** Until when the provider may run a pod, by the clock of leases, given the last pause of its machine. */
export function leaseEndsAtAfter(askedAt: number, afterMs: number, pause: Pause | undefined): number {
  const endsAt = leaseEndsAt(askedAt, afterMs);
  if (pause === undefined || askedAt >= pause.noticedAt) return endsAt;
  return Math.min(endsAt, Math.max(endsAt - pause.byMs, pause.noticedAt + AFTER_PAUSE_MS));
}

/** Compares the steps of the two clocks from look to look. */
export class PauseWatch {
  readonly #clocks: { now(): number; uptime(): number };
  #wallAt: number;
  #bootAt: number;
  #pause: Pause | undefined;

  /** @param clocks the wall clock, and the clock of leases */
  constructor(clocks: { now(): number; uptime(): number }) {
    this.#clocks = clocks;
    this.#wallAt = clocks.now();
    this.#bootAt = clocks.uptime();
  }

  /** The last pause that was noticed up to now. */
  look(): Pause | undefined {
    const [wall, boot] = [this.#clocks.now(), this.#clocks.uptime()];
    const byMs = wall - this.#wallAt - (boot - this.#bootAt);
    this.#wallAt = wall;
    this.#bootAt = boot;
    if (byMs < MIN_PAUSE_MS) return this.#pause;
    const isRecent = this.#pause !== undefined && boot - this.#pause.noticedAt < REMEMBERED_MS;
    this.#pause = { noticedAt: boot, byMs: byMs + (isRecent ? (this.#pause?.byMs ?? 0) : 0) };
    return this.#pause;
  }
}
