/**
 * How often a key of a controller may have its turn, so that nothing that a user, a member or a mistake of ours sets turns in a circle:
 * `burst` turns at once, then one in `everyMs`; and one that asks to come back at once, again and again, waits longer each time.
 */

/** Far more than a controller's events give a key in normal times, and far less than a loop without a pause. */
const EVERY_MS = 100;
const BURST = 100;
/** Coming back sooner than this is coming back at once. */
const AT_ONCE_MS = 100;
/** So often in a row it is taken for what it was meant to be: a second look. */
const FREE_RETURNS = 10;
const LONGEST_MS = 30_000;
/** Keys that had their last turn long ago are forgotten when there are this many. */
const MANY = 1_000;

interface Turns {
  /** When all its turns so far would have been taken at the even pace (GCRA); monotonic ms. */
  paidUntil: number;
  /** How often in a row it asked to come back at once. */
  returns: number;
}

/** The turns of all keys of one controller. */
export class Pace {
  readonly #turns = new Map<string, Turns>();
  #forgetAt = MANY;

  /** Notes that a key has a turn now. */
  take(key: string, now: number): void {
    const turns = this.#turns.get(key) ?? { paidUntil: now, returns: 0 };
    turns.paidUntil = Math.max(turns.paidUntil, now) + EVERY_MS;
    this.#turns.set(key, turns);
    if (this.#turns.size >= this.#forgetAt) this.#forget(now);
  }

  /** How long (ms) a key has to wait for its next turn; 0 for all that do not turn in a circle. */
  waitMs(key: string, now: number): number {
    const turns = this.#turns.get(key);
    return turns === undefined ? 0 : Math.max(0, turns.paidUntil - BURST * EVERY_MS - now);
  }

  /** The wait after which a key comes back that asked for `ms`; undefined for one that asked for none. */
  returnMs(key: string, ms: number | undefined): number | undefined {
    const turns = this.#turns.get(key);
    if (turns === undefined) return ms;
    if (ms === undefined || ms >= AT_ONCE_MS) turns.returns = 0;
    else turns.returns += 1;
    if (turns.returns <= FREE_RETURNS || ms === undefined) return ms;
    return Math.min(LONGEST_MS, AT_ONCE_MS * 2 ** (turns.returns - FREE_RETURNS));
  }

  #forget(now: number): void {
    for (const [key, { paidUntil, returns }] of this.#turns) {
      if (paidUntil <= now && returns <= FREE_RETURNS) this.#turns.delete(key);
    }
    // Those that are left are not looked at again with each turn.
    this.#forgetAt = Math.max(MANY, this.#turns.size * 2);
  }
}
