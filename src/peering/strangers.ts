import type { Duplex } from 'node:stream';
import type { Clock } from '../runtime/clock.ts';

/** What tells connections apart on both sides of a TLS handshake. */
export interface RemoteEnd {
  remoteAddress?: string | undefined;
  remotePort?: number | undefined;
}

/** A TLS handshake takes two round trips. */
const HANDSHAKE_WITHIN_MS = 10_000;
/**
 * Connections of which nobody knows yet who is at the other end. When there are more, the oldest goes: a handshake takes
 * some ten milliseconds, so that members get in unless thousands a second arrive.
 */
const MAX_STRANGERS = 256;

/** The connections of which it is not proven yet that a member is at the other end: few, and for a short time. */
export class Strangers {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #open = new Map<string, { socket: Duplex; known: AbortController }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A connection came in. */
  watch(socket: Duplex & RemoteEnd): void {
    const key = keyOf(socket);
    const known = new AbortController();
    this.#open.set(key, { socket, known });
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      known.abort();
      if (this.#open.get(key)?.socket === socket) this.#open.delete(key);
    });
    this.#clock.sleep(HANDSHAKE_WITHIN_MS, known.signal).then(
      () => socket.destroy(),
      () => {},
    );
    if (this.#open.size > MAX_STRANGERS) this.#open.values().next().value?.socket.destroy();
  }

  /** The handshake is over; the other end is a stranger still. */
  onHandshake(end: RemoteEnd): void {
    this.#open.get(keyOf(end))?.known.abort();
  }

  /** The other end proved to be a member. */
  onMember(end: RemoteEnd): void {
    this.onHandshake(end);
    this.#open.delete(keyOf(end));
  }
}

function keyOf({ remoteAddress, remotePort }: RemoteEnd): string {
  return `${remoteAddress} ${remotePort}`;
}
