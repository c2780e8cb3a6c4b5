import { messageOf } from '../core/coded-error.ts';
import {
  type Contact,
  flapHoldMs,
  isQuiet,
  isSilent,
  mayBeRestarting,
  type PeerContactState,
  peerStateOf,
  recentFailures,
  smoothRoundTrip,
} from '../core/membership/peer-state.ts';

/** The state of one peer by own contact: what is heard, what is not, and for how long. Times are monotonic ms. */
export class ContactWatch {
  readonly #contact: Contact;
  #failures: number[] = [];
  #state: PeerContactState = 'Suspect';
  #stateSince: number;
  #problem: string | undefined;

  /** @param shown the state of the peer that a former life of the agent wrote, if any */
  constructor(now: number, shown: string | undefined) {
    this.#stateSince = now;
    this.#contact = { lastHeardAt: now, restarting: mayBeRestarting(shown), open: false };
  }

  get state(): PeerContactState {
    return this.#state;
  }

  get stateSince(): number {
    return this.#stateSince;
  }

  get roundTripMs(): number | undefined {
    return this.#contact.roundTripMs;
  }

  get open(): boolean {
    return this.#contact.open;
  }

  /** Why the peer is not connected, for people. */
  problem(now: number): string | undefined {
    const { heldUntil = 0 } = this.#contact;
    if (this.#state === 'Unreachable' && !isSilent(this.#contact, now) && heldUntil > now)
      return `its connection broke ${this.#failures.length} times within minutes; it is used again when it holds for ${Math.ceil((heldUntil - now) / 1_000)} s more`;
    return this.#problem;
  }

  /** No message for too long: the open connection, if there is one, is dead. */
  isSilent(now: number): boolean {
    return isSilent(this.#contact, now);
  }

  /** Its heartbeats are late. */
  isQuiet(now: number): boolean {
    return isQuiet(this.#contact, now);
  }

  /** The peer proved beside the connection in use that it is alive. */
  proven(now: number): void {
    this.#contact.provenAt = now;
  }

  /** A message came. @returns whether the state changed */
  heard(now: number): boolean {
    const contact = this.#contact;
    if (!contact.open && this.#state === 'Unreachable') {
      this.#failures = recentFailures(this.#failures, now);
      contact.heldUntil = now + flapHoldMs(this.#failures, now);
    }
    contact.lastHeardAt = now;
    contact.open = true;
    contact.restarting = false;
    return this.refresh(now);
  }

  /** The peer said that it will be back. */
  goodbye(now: number): void {
    this.#contact.lastHeardAt = now;
    this.#contact.restarting = true;
  }

  closed(error: unknown, now: number): boolean {
    this.#contact.open = false;
    this.#problem = messageOf(error);
    return this.refresh(now);
  }

  measured(roundTripMs: number): void {
    this.#contact.roundTripMs = smoothRoundTrip(this.#contact.roundTripMs, roundTripMs);
  }

  /** Time during which this process itself stood still is no silence of the peer. */
  forgive(ms: number): void {
    this.#contact.lastHeardAt += ms;
  }

  /** @returns whether the state changed */
  refresh(now: number): boolean {
    const state = peerStateOf(this.#contact, now);
    if (state === this.#state) return false;
    if (state === 'Unreachable') this.#failures.push(now);
    if (state === 'Connected') {
      this.#problem = undefined;
      this.#contact.heldUntil = undefined;
    }
    this.#state = state;
    this.#stateSince = now;
    return true;
  }
}
