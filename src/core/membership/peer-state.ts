export type PeerContactState = 'Connected' | 'Suspect' | 'Unreachable';

/** A heartbeat comes each second: two missed ones are suspicious. */
export const SUSPECT_AFTER_MS = 2_000;
/** A failed peer is detected within 3 s: by the look at the clock after this, of which there are five a second. */
export const UNREACHABLE_AFTER_MS = 2_800;
/** Quiet for so long, a peer is asked for a sign of life on another connection: three tries fit in before it counts as failed. */
export const QUIET_AFTER_MS = 1_500;
/** How long such a sign counts. */
const PROOF_HOLDS_MS = 3_000;
/**
 * A peer that said that it restarts gets this long to come back before it counts as failed. So does one that an agent which
 * itself just started has not heard yet: where all restart at once, nobody hears anybody's goodbye.
 */
export const RESTART_GRACE_MS = 30_000;
/**
 * A lost packet is repeated after about one round trip and 200 ms (RFC 6298, as Linux does it): up to this round-trip time
 * three repetitions fit into the limits above; longer ways get the time of as many more.
 */
const SHORT_ROUND_TRIP_MS = 200;
const REPETITIONS = 3;

/** Failures within this time are flapping rather than bad luck. */
const FLAP_WINDOW_MS = 10 * 60_000;
/** That many failures within the window have no consequence. */
const FREE_FAILURES = 2;
/** The first hold; each further failure doubles it. */
const FIRST_HOLD_MS = 5_000;
const MAX_HOLD_MS = 60_000;

export interface Contact {
  /** Monotonic ms of the last message, or of the first try when there was none. */
  lastHeardAt: number;
  /** The peer announced its restart since then, or may be restarting as we are. */
  restarting: boolean;
  /** A message came on the connection that is open now. */
  open: boolean;
  /** Monotonic ms of the last proof, beside the connection in use, that the peer is alive. */
  provenAt?: number | undefined;
  /** The smoothed round-trip time in ms; undefined before the first measurement. */
  roundTripMs?: number | undefined;
  /** It counts as unreachable until it was heard without a break for as long as this (monotonic ms). */
  heldUntil?: number | undefined;
}

/** The state of a peer by own contact alone; hearsay never counts. */
export function peerStateOf(contact: Contact, now: number): PeerContactState {
  if ((isSilent(contact, now) && !isProven(contact, now)) || now < (contact.heldUntil ?? 0)) return 'Unreachable';
  const silentMs = now - contact.lastHeardAt;
  return contact.open && silentMs < SUSPECT_AFTER_MS + longWayMs(contact) ? 'Connected' : 'Suspect';
}

/**
 * Whether a peer that was not heard in this life of the agent may be restarting as we are. One that was unreachable before is
 * not waited for: what follows from its loss was done already. Nor is one of which nothing was ever shown.
 * @param shown the state that its Peer object shows
 */
export function mayBeRestarting(shown: string | undefined): boolean {
  return shown === 'Connected' || shown === 'Suspect';
}

/** Nothing was heard for so long that the connection counts as failed, and with it the peer, unless it proves to be alive. */
export function isSilent(contact: Contact, now: number): boolean {
  const graceMs = (contact.restarting ? RESTART_GRACE_MS : 0) + longWayMs(contact);
  return now - contact.lastHeardAt >= UNREACHABLE_AFTER_MS + graceMs;
}

/** It showed lately that it is alive: a new connection to it is up before that is forgotten, or it failed meanwhile. */
function isProven(contact: Contact, now: number): boolean {
  return now - (contact.provenAt ?? Number.NEGATIVE_INFINITY) < PROOF_HOLDS_MS;
}

/** Its heartbeats are late on the open connection: time for a sign of life on another one. */
export function isQuiet(contact: Contact, now: number): boolean {
  return contact.open && now - contact.lastHeardAt >= QUIET_AFTER_MS + longWayMs(contact);
}

function longWayMs(contact: Contact): number {
  return REPETITIONS * Math.max(0, (contact.roundTripMs ?? 0) - SHORT_ROUND_TRIP_MS);
}

/** How long a peer that comes back must be heard before it counts again. @param failures monotonic ms of each failure */
export function flapHoldMs(failures: readonly number[], now: number): number {
  const recent = recentFailures(failures, now).length;
  if (recent <= FREE_FAILURES) return 0;
  return Math.min(MAX_HOLD_MS, FIRST_HOLD_MS * 2 ** (recent - FREE_FAILURES - 1));
}

/** The failures that still count. */
export function recentFailures(failures: readonly number[], now: number): number[] {
  return failures.filter((at) => now - at < FLAP_WINDOW_MS);
}

/** RFC 6298's smoothing: one slow answer is no slow way. */
export function smoothRoundTrip(before: number | undefined, measuredMs: number): number {
  return before === undefined ? measuredMs : before + (measuredMs - before) / 8;
}
