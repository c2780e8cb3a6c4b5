import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type Http2Session,
  connect as http2Connect,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { CodedError } from '../core/coded-error.ts';

/**
 * One long-lived connection between two members, opened by whoever can; both sides call over it. It is an HTTP/2 session
 * used as a multiplexer: each stream is a pair of pipes that carries one HTTP/1.1 connection, so that clients, servers and
 * upgrades need not know. The side that dialled opens streams for its own calls (`/call`) and keeps some in stock on which
 * the other side calls (`/reverse`), since an HTTP/2 server cannot open any.
 */

/** What each side says about itself when the connection is up. */
export interface PeerHello {
  /** One run of an agent's process: another one means a restart, or a second agent with the same key. */
  instance: string;
  protocol: number;
  version: string;
  /** ID of the member that carries this connection; absent on a direct one. */
  via?: string;
}

/** ALPN: members that speak another generation of the protocol part in the handshake. */
export const PEER_ALPN = 'headcut/2';
/** A connection for one HTTP/1.1 connection alone, which becomes a raw stream. */
export const PEER_STREAM_ALPN = 'headcut-stream/2';

/** What may be under way on one stream without being read: 25 MB/s at 20 ms of round trip. */
const STREAM_WINDOW_BYTES = 512 * 1024;
const CONNECTION_WINDOW_BYTES = 16 * STREAM_WINDOW_BYTES;
/** Long streams of both sides (MAX_LONG_STREAMS in peer-calls.ts), and room for calls. The connection's window bounds what a peer can make us hold. */
const MAX_STREAMS = 256;
/** Streams in stock for calls of the other side; a used one is replaced at once, so this many can start within one round trip. */
const STOCK = 8;
/** The first words of the dialling side. */
const HELLO_WITHIN_MS = 5_000;

const CALL_PATH = '/call';
const REVERSE_PATH = '/reverse';
const HELLO_PATH = '/hello';

const SESSION_OPTIONS = {
  settings: { initialWindowSize: STREAM_WINDOW_BYTES, maxConcurrentStreams: MAX_STREAMS, enablePush: false },
  peerMaxConcurrentStreams: MAX_STREAMS,
};

/** Who is at the other end, as the TLS handshake proved it. */
export interface ProvenPeer {
  id: string;
  /** How many keys of both sides came before those of the handshake (core/membership/member-keys). */
  keyGenerations: KeyGenerations;
}

export interface KeyGenerations {
  own: number;
  peer: number;
}

/** An open connection between two members. */
export class PeerConnection {
  /** This side opened it. */
  readonly dialed: boolean;
  readonly peerId: string;
  readonly peer: PeerHello;
  readonly keyGenerations: KeyGenerations;
  /** The member that carries it; undefined for a direct one. */
  readonly via: string | undefined;
  readonly #session: Http2Session;
  readonly #socket: Duplex;
  readonly #stock: ServerHttp2Stream[] = [];
  readonly #waiting: ((stream: Duplex) => void)[] = [];
  /** Streams on which the other side may call, none of it used yet. */
  readonly #parked = new Set<ClientHttp2Stream>();
  readonly #drainListeners: (() => void)[] = [];
  readonly #closeListeners: ((reason: unknown) => void)[] = [];
  #handler: ((stream: Duplex) => void) | undefined;
  #draining = false;
  #closed = false;
  #reason: unknown;

  /** Use dialPeer or acceptPeer. */
  constructor(
    session: Http2Session,
    socket: Duplex,
    proven: ProvenPeer,
    about: { dialed: boolean; peer: PeerHello; via: string | undefined },
  ) {
    this.#session = session;
    this.#socket = socket;
    this.peerId = proven.id;
    this.keyGenerations = proven.keyGenerations;
    this.dialed = about.dialed;
    this.peer = about.peer;
    this.via = about.via;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on('error', (error) => {
      this.#reason ??= error;
    });
    session.on('goaway', () => this.#onDraining());
    session.on('close', () => this.#onClose());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Takes no new calls: it is closed, or about to be. */
  get draining(): boolean {
    return this.#draining || this.#closed;
  }

  /** It takes no new calls from now on, and is not closed yet. */
  onDraining(listener: () => void): void {
    this.#drainListeners.push(listener);
  }

  onClose(listener: (reason: unknown) => void): void {
    if (this.#closed) listener(this.#reason);
    else this.#closeListeners.push(listener);
  }

  /** Says who serves the streams that the other side opens; they wait until then. */
  serve(handler: (stream: Duplex) => void): void {
    this.#handler = handler;
    if (this.dialed) for (let i = 0; i < STOCK; i += 1) this.#park();
  }

  /** A new stream to the other side's server. Throws Unavailable. */
  open(signal: AbortSignal): Promise<Duplex> {
    if (this.draining) return Promise.reject(this.#unavailable());
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.dialed) return Promise.resolve(asSocket((this.#session as ClientHttp2Session).request(head(CALL_PATH))));
    let stocked = this.#stock.shift();
    while (stocked?.closed) stocked = this.#stock.shift();
    if (stocked !== undefined) return Promise.resolve(take(stocked));
    return this.#waitForStock(signal);
  }

  /** @returns the round-trip time in milliseconds. Throws Unavailable when no answer comes before `signal` aborts. */
  ping(signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#closed || signal.aborted) return reject(this.#unavailable());
      const onAbort = (): void => reject(new CodedError('Unavailable', 'no answer in time', signal.reason));
      signal.addEventListener('abort', onAbort, { once: true });
      const sent = this.#session.ping((error, durationMs) => {
        signal.removeEventListener('abort', onAbort);
        if (error === null) resolve(durationMs);
        else reject(new CodedError('Unavailable', 'the connection broke', error));
      });
      if (!sent) reject(new CodedError('Unavailable', 'too many unanswered pings'));
    });
  }

  /** Takes no new calls; closes once those under way are done. A call of the other side that starts right now is refused. */
  drain(): void {
    if (this.draining) return;
    this.#onDraining();
    this.#session.close();
  }

  close(reason?: unknown): void {
    this.#reason ??= reason;
    this.#session.destroy();
    // The session is closed only once what it was writing is written, which on a dead way is never.
    setImmediate(() => this.#socket.destroy());
    this.#onClose();
  }

  /** A stream that the other side opened, by the path that it named. Called by acceptPeer. */
  onStream(stream: ServerHttp2Stream, path: string): void {
    stream.on('error', () => {});
    // It was ended in the same breath: answering it would throw.
    if (stream.destroyed || stream.closed) return;
    if (path === CALL_PATH && this.#handler !== undefined) {
      stream.respond({ ':status': 200 });
      this.#handler(stream);
    } else if (path === REVERSE_PATH && this.#stock.length < 2 * STOCK) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#keepInStock(stream);
      else waiting(take(stream));
    } else stream.close();
  }

  #keepInStock(stream: ServerHttp2Stream): void {
    this.#stock.push(stream);
    stream.on('close', () => {
      const at = this.#stock.indexOf(stream);
      if (at >= 0) this.#stock.splice(at, 1);
    });
  }

  /** Opens a stream on which the other side may call; once it does, the next one takes its place. */
  #park(): void {
    if (this.draining) return;
    const stream: ClientHttp2Stream = (this.#session as ClientHttp2Session).request(head(REVERSE_PATH));
    stream.on('error', () => {});
    this.#parked.add(stream);
    stream.on('close', () => this.#parked.delete(stream));
    stream.on('response', () => {
      this.#parked.delete(stream);
      this.#handler?.(stream);
      this.#park();
    });
  }

  #waitForStock(signal: AbortSignal): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const settle = (stream: Duplex): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(stream);
      };
      const onAbort = (): void => {
        const at = this.#waiting.indexOf(settle);
        if (at >= 0) this.#waiting.splice(at, 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.onClose(() => reject(this.#unavailable()));
      this.#waiting.push(settle);
    });
  }

  #onDraining(): void {
    if (this.draining) return;
    this.#draining = true;
    for (const stream of [...this.#stock.splice(0), ...this.#parked]) stream.close();
    for (const listener of this.#drainListeners.splice(0)) listener();
  }

  #onClose(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const listener of this.#closeListeners.splice(0)) listener(this.#reason);
  }

  #unavailable(): CodedError {
    return new CodedError('Unavailable', 'the connection to the peer is closed', this.#reason);
  }
}

const head = (path: string) => ({ ':method': 'POST', ':path': path, ':scheme': 'https', ':authority': 'peer' });

function take(stream: ServerHttp2Stream): Duplex {
  stream.respond({ ':status': 200 });
  return asSocket(stream);
}

/** HTTP clients expect what sockets do by default: that they end when the other side ends. */
function asSocket<T extends Duplex>(stream: T): T {
  stream.allowHalfOpen = false;
  // Whoever gets it adds listeners of its own; an error before that must not end the process.
  stream.on('error', () => {});
  return stream;
}

function toHeaders(hello: PeerHello): Record<string, string> {
  return {
    'headcut-instance': hello.instance,
    'headcut-protocol': String(hello.protocol),
    'headcut-version': hello.version,
    ...(hello.via === undefined ? {} : { 'headcut-via': hello.via }),
  };
}

function parseHello(headers: IncomingHttpHeaders): PeerHello {
  const text = (name: string): string => String(headers[name] ?? '').slice(0, 100);
  const protocol = Number(text('headcut-protocol'));
  if (text('headcut-instance') === '' || !Number.isInteger(protocol))
    throw new CodedError('InvalidArgument', 'the peer did not say who it is');
  const via = text('headcut-via');
  return {
    instance: text('headcut-instance'),
    protocol,
    version: text('headcut-version'),
    ...(via === '' ? {} : { via }),
  };
}

/** The dialling side, over a connection whose key was checked. Resolves once the other side has let us in. */
export function openPeerConnection(socket: Duplex, proven: ProvenPeer, hello: PeerHello): Promise<PeerConnection> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(error);
    const session = http2Connect('https://peer', { ...SESSION_OPTIONS, createConnection: () => socket });
    session.on('error', fail);
    session.on('close', () => fail(new CodedError('Unavailable', 'the peer closed the connection')));
    const stream = session.request({ ...head(HELLO_PATH), ...toHeaders(hello) }, { endStream: true });
    stream.on('error', fail);
    stream.on('response', (headers) => {
      stream.close();
      try {
        const peer = parseHello(headers as IncomingHttpHeaders);
        resolve(new PeerConnection(session, socket, proven, { dialed: true, peer, via: hello.via }));
      } catch (error) {
        session.destroy();
        reject(error);
      }
    });
  });
}

/** The accepting side, over a connection whose key was checked. @param onOpen called once the other side said who it is */
export function acceptPeerConnection(
  socket: Duplex,
  proven: ProvenPeer,
  deps: { hello: PeerHello; sleep(ms: number, signal: AbortSignal): Promise<void> },
  onOpen: (connection: PeerConnection) => void,
): void {
  const session: ServerHttp2Session = performServerHandshake(socket, SESSION_OPTIONS);
  const opened = new AbortController();
  let connection: PeerConnection | undefined;
  deps.sleep(HELLO_WITHIN_MS, opened.signal).then(
    () => session.destroy(),
    () => {},
  );
  session.on('error', () => {});
  session.on('close', () => opened.abort());
  session.on('stream', (stream, headers) => {
    const path = headers[':path'] ?? '';
    if (connection !== undefined) return connection.onStream(stream, path);
    try {
      if (path !== HELLO_PATH) throw new CodedError('InvalidArgument', 'the peer did not say who it is');
      const peer = parseHello(headers);
      opened.abort();
      stream.on('error', () => {});
      stream.respond({ ':status': 200, ...toHeaders(deps.hello) }, { endStream: true });
      connection = new PeerConnection(session, socket, proven, { dialed: false, peer, via: peer.via });
      onOpen(connection);
    } catch {
      session.destroy();
    }
  });
}
