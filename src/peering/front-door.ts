import { createServer, type Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../runtime/clock.ts';
import { JOIN_SERVER_NAME } from '../wire/endpoints.ts';
import { MAX_CLIENT_HELLO, parseServerName } from './client-hello.ts';

/** Anything that takes over raw connections: an https server. */
export interface Door {
  emit(event: 'connection', socket: Duplex): boolean;
}

/** What tells connections apart on both sides of a TLS handshake. */
export interface RemoteEnd {
  remoteAddress?: string | undefined;
  remotePort?: number | undefined;
}

export interface FrontDoor {
  server: NetServer;
  /** The other end proved to be a member: it is no stranger any more. */
  onMember(end: RemoteEnd): void;
}

/** A client has this long to say which door it wants. */
const HELLO_WITHIN_MS = 5_000;
/** Far more than all members and a few newcomers need. */
const MAX_CONNECTIONS = 2_000;
/**
 * Connections of which nobody knows yet who is at the other end. When there are more, the oldest goes: a handshake takes
 * some ten milliseconds, so that members get in unless thousands a second arrive.
 */
const MAX_STRANGERS = 256;

/**
 * One port, two doors: who names `join.headcut` in its ClientHello gets the join server, which asks for no certificate;
 * everybody else gets the server that refuses unknown keys in the handshake.
 */
export function createFrontDoor(doors: { join: Door; peers: Door }, clock: Clock): FrontDoor {
  /** Oldest first. */
  const strangers = new Map<string, Duplex>();
  const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 }, (socket) => {
    const key = keyOf(socket);
    strangers.set(key, socket);
    socket.once('close', () => {
      if (strangers.get(key) === socket) strangers.delete(key);
    });
    if (strangers.size > MAX_STRANGERS) strangers.values().next().value?.destroy();
    chooseDoor(socket, doors, clock);
  });
  server.maxConnections = MAX_CONNECTIONS;
  return { server, onMember: (end) => void strangers.delete(keyOf(end)) };
}

function keyOf({ remoteAddress, remotePort }: RemoteEnd): string {
  return `${remoteAddress} ${remotePort}`;
}

function chooseDoor(socket: Duplex, doors: { join: Door; peers: Door }, clock: Clock): void {
  const decided = new AbortController();
  clock.sleep(HELLO_WITHIN_MS, decided.signal).then(
    () => socket.destroy(),
    () => {},
  );
  socket.on('error', () => socket.destroy());
  socket.once('close', () => decided.abort());
  let seen = Buffer.alloc(0);
  const onData = (chunk: Buffer): void => {
    seen = Buffer.concat([seen, chunk]);
    const name = parseServerName(seen);
    if (name === 'incomplete' && seen.length <= MAX_CLIENT_HELLO) return;
    decided.abort();
    socket.off('data', onData);
    socket.pause();
    socket.unshift(seen);
    (name === JOIN_SERVER_NAME ? doors.join : doors.peers).emit('connection', socket);
  };
  socket.on('data', onData);
}
