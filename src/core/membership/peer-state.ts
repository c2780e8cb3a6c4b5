export type PeerContactState = 'Connected' | 'Suspect' | 'Unreachable';

/** A heartbeat comes each second: two missed ones are suspicious. */
export const SUSPECT_AFTER_MS = 2_000;
/** product.md promises that a failed peer is detected within 3 s. */
export const UNREACHABLE_AFTER_MS = 3_000;
/** A peer that said that it restarts gets this long to come back before it counts as failed. */
export const RESTART_GRACE_MS = 30_000;

export interface Contact {
  /** Monotonic ms of the last message, or of the first try when there was none. */
  lastHeardAt: number;
  /** The peer announced its restart since then. */
  restarting: boolean;
  /** A message came on the connection that is open now. */
  open: boolean;
}

/** The state of a peer by own contact alone; hearsay never counts. */
export function peerStateOf(contact: Contact, now: number): PeerContactState {
  const silentMs = now - contact.lastHeardAt;
  const grace = contact.restarting ? RESTART_GRACE_MS : 0;
  if (silentMs >= UNREACHABLE_AFTER_MS + grace) return 'Unreachable';
  return contact.open && silentMs < SUSPECT_AFTER_MS ? 'Connected' : 'Suspect';
}
