import type { Duplex } from 'node:stream';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { CodedError, messageOf } from '../core/coded-error.ts';
import { parseEndpoint } from '../core/membership/endpoint.ts';
import { generationOf, memberKeysOf, proveMember } from '../core/membership/member-keys.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import type { Clock } from '../runtime/clock.ts';
import { withDeadline } from '../runtime/deadline.ts';
import { PEER_SERVER_NAME } from '../wire/endpoints.ts';
import {
  openPeerConnection,
  PEER_ALPN,
  PEER_STREAM_ALPN,
  type PeerConnection,
  type PeerHello,
} from './peer-connection.ts';

/** Key and certificate (PEM) with which this member shows who it is. */
export interface ClientIdentity {
  key: string;
  certificate: string;
}

export interface DialContext {
  identity: ClientIdentity;
  hello: PeerHello;
  clock: Clock;
}

/** The next endpoint is tried beside the ones before it after this time (RFC 8305 §5 recommends 250 ms). */
const STAGGER_MS = 250;
/** TCP, TLS and hello take three round trips; a lost SYN costs a second more. */
const DIAL_WITHIN_MS = 4_000;

/**
 * Connects to a peer, pinned to its key, at whichever of its endpoints answers first. Throws Unavailable that names them all.
 * @param endpoints best first
 */
export async function dialPeer(
  record: PeerRecord,
  endpoints: readonly string[],
  context: DialContext,
  signal: AbortSignal,
): Promise<{ connection: PeerConnection; endpoint: string }> {
  const settled = new AbortController();
  const within = AbortSignal.any([signal, settled.signal]);
  const errors: string[] = [];
  const attempts = endpoints.map(async (endpoint, index) => {
    try {
      if (index > 0) await context.clock.sleep(index * STAGGER_MS, within);
      const connection = await dialEndpoint(record, endpoint, context, within);
      // Two answered in the same moment: one is enough.
      if (settled.signal.aborted) connection.close();
      settled.abort();
      return { connection, endpoint };
    } catch (error) {
      errors[index] = `${endpoint} (${messageOf(error)})`;
      throw error;
    }
  });
  try {
    return await Promise.any(attempts);
  } catch {
    if (signal.aborted) throw signal.reason;
    throw new CodedError('Unavailable', `cannot reach ${record.name} at ${errors.join(', ')}`);
  } finally {
    settled.abort();
  }
}

/** Connects through a stream that leads to the peer's port: what carries it sees nothing of what is said. */
export function dialThrough(
  record: PeerRecord,
  carrier: Duplex,
  context: DialContext,
  signal: AbortSignal,
): Promise<PeerConnection> {
  return dial(record, { socket: carrier }, context, signal);
}

function dialEndpoint(
  record: PeerRecord,
  endpoint: string,
  context: DialContext,
  signal: AbortSignal,
): Promise<PeerConnection> {
  const { host, port } = parseEndpoint(endpoint);
  return dial(record, { host, port }, context, signal);
}

/**
 * Connects to one endpoint for a single HTTP/1.1 connection, without the multiplexer: for a stream of much data, whose every
 * write would cost twice as much there.
 */
export function dialDedicated(
  record: PeerRecord,
  endpoint: string,
  context: Omit<DialContext, 'hello'>,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const { host, port } = parseEndpoint(endpoint);
  const socket = tlsConnect({ host, port, ...showing(context.identity, PEER_STREAM_ALPN) });
  return opened(socket, context, signal, async () => {
    await secured(socket, PEER_STREAM_ALPN);
    proven(socket, record);
    return socket;
  });
}

function dial(
  record: PeerRecord,
  where: { host: string; port: number } | { socket: Duplex },
  context: DialContext,
  signal: AbortSignal,
): Promise<PeerConnection> {
  const { certificate } = context.identity;
  const socket = tlsConnect({ ...where, ...showing(context.identity, PEER_ALPN) });
  return opened(socket, context, signal, async () => {
    await secured(socket, PEER_ALPN);
    const keyGenerations = { own: generationOf(memberKeysOf(certificate)), peer: proven(socket, record) };
    const peer = { id: record.id, keyGenerations };
    return Promise.race([openPeerConnection(socket, peer, context.hello), failureOf(socket)]).catch(explainRefusal);
  });
}

/** What `open` makes of a connection, in time; or the connection is closed. */
async function opened<T>(
  socket: TLSSocket,
  { clock }: Pick<DialContext, 'clock'>,
  signal: AbortSignal,
  open: () => Promise<T>,
): Promise<T> {
  try {
    signal.throwIfAborted();
    return await withDeadline(clock, { ms: DIAL_WITHIN_MS, signal }, async (within) => {
      const onAbort = (): void => void socket.destroy(within.reason);
      within.addEventListener('abort', onAbort, { once: true });
      const result = await open();
      within.removeEventListener('abort', onAbort);
      return result;
    });
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function showing(identity: ClientIdentity, protocol: string): ConnectionOptions {
  return {
    servername: PEER_SERVER_NAME,
    minVersion: 'TLSv1.3',
    ALPNProtocols: [protocol],
    key: identity.key,
    cert: identity.certificate,
    // Keys are pinned, by `proven`, and say more than TLS understands: which one came after which.
    rejectUnauthorized: false,
  };
}

/** Nothing is said on a connection before this. @returns the generation of the peer's key. Throws when it is not the peer's */
function proven(socket: TLSSocket, record: PeerRecord): number {
  const shown = proveMember(socket.getPeerX509Certificate(), record);
  if ('problem' in shown) throw new Error(shown.problem);
  return shown.keyGeneration;
}

function secured(socket: TLSSocket, protocol: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.once('secureConnect', () => {
      socket.setNoDelay(true);
      socket.setKeepAlive(true, 10_000);
      if (socket.alpnProtocol === protocol) return resolve();
      reject(new Error('it speaks another version of the protocol; update headcut on both sides'));
    });
  });
}

function failureOf(socket: TLSSocket): Promise<never> {
  return new Promise((_resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
}

/** After the handshake, in which it has shown its key, the other side may still refuse ours: that shows as a broken connection. */
function explainRefusal(error: unknown): never {
  if (error instanceof CodedError && error.code === 'InvalidArgument') throw error;
  const message =
    'it answers, but hangs up on this cluster, as on one that is no member there; if it was forgotten there, join again by an invitation from there';
  throw new CodedError('Unavailable', message, error);
}
