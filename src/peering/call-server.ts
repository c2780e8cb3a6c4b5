import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError, httpStatusOf, messageOf } from '../core/coded-error.ts';
import { type Bucket, type RateLimit, takeTokens } from '../core/rate-limit.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { joinStreams, writeResponseHead } from '../runtime/upgrade.ts';
import { readPath, readRequest } from '../wire/check.ts';
import type { Asked, CallBounds, CallDefinition, RequestOf } from '../wire/definition.ts';
import { ENDPOINTS, POD_STREAM, STREAM_PATH, STREAM_PROTOCOL, STREAMS } from '../wire/endpoints.ts';
import { ByteBudget } from './byte-budget.ts';
import type { Complaints } from './complaints.ts';
import { createHttpApp, toCodedError } from './http-app.ts';
import { RequestDeadlines } from './request-deadlines.ts';
import type { CallHandlers, CallName, PodStreamHandler, StreamHandler, StreamHandlers, StreamName } from './serving.ts';

export interface CallServerDeps {
  serving: { calls: CallHandlers; streams: StreamHandlers & InternalStreams; podStream: PodStreamHandler };
  /** Takes over the answer to ENDPOINTS.session. */
  openSession(peerId: string, out: ServerResponse, asked: RequestOf<typeof ENDPOINTS.session>['query']): void;
  complaints: Pick<Complaints, 'say'>;
  clock: Clock;
  logger: Logger;
}

/** Streams that belong to the ways between members. */
export interface InternalStreams {
  relay: StreamHandler<'relay'>;
  relayed: StreamHandler<'relayed'>;
}

/** All calls of one member together. */
const PEER_LIMIT: RateLimit = { perSecond: 100, burst: 500 };

const MIB = 1024 * 1024;
/**
 * Bodies that are being read or worked on. Read, each is four times as much: bytes, text, values and what was not collected yet; of an agent
 * with 80 MB, one member makes 120. Members send one large body after the other.
 */
const LARGE_BODIES = { perOwner: 8 * MIB, inAll: 24 * MIB, always: 0, waiting: 32 };
/** So small that they need not wait for large ones: leases are asked for in these. */
const SMALL_BODY = 256 * 1024;
const SMALL_BODIES = { perOwner: MIB, inAll: 8 * MIB, always: SMALL_BODY, waiting: 64 };

/** Serves the calls of members, each on a stream of a connection whose certificate was checked. */
export class CallServer {
  readonly #deps: CallServerDeps;
  readonly #server: HttpServer = createHttpServer();
  readonly #app: FastifyInstance;
  readonly #deadlines: RequestDeadlines;
  readonly #ready: Promise<unknown>;
  /** The member behind each stream. */
  readonly #callers = new WeakMap<object, string>();
  readonly #buckets = new Map<string, Bucket>();
  readonly #open = new Map<string, number>();
  readonly #large = new ByteBudget(LARGE_BODIES);
  readonly #small = new ByteBudget(SMALL_BODIES);

  constructor(deps: CallServerDeps) {
    this.#deps = deps;
    this.#deadlines = new RequestDeadlines(this.#server, deps.clock);
    this.#server.on('upgrade', (request, socket, head) => void this.#onUpgrade(request, socket, head));
    this.#app = createHttpApp(this.#server, deps.logger, ({ raw, routeOptions }, problem) => {
      const what = `${raw.method} ${routeOptions.url ?? ''}`;
      deps.complaints.say({ id: this.#callers.get(raw.socket) ?? 'a stranger' }, what, problem);
    });
    for (const name of Object.keys(ENDPOINTS) as CallName[]) this.#addRoute(name);
    this.#ready = Promise.resolve(this.#app.ready());
  }

  /** Bytes of bodies that are held now. */
  get bodyBytes(): number {
    return this.#large.inAll + this.#small.inAll;
  }

  /** A stream that a member opened: it carries one HTTP connection. */
  serve(peerId: string, stream: Duplex): void {
    this.#callers.set(stream, peerId);
    this.#deadlines.watch(stream);
    // A peer that we dialled may ask before our own port is open: a request that finds the routes half made ends the process.
    void this.#ready.then(() => this.#server.emit('connection', stream));
  }

  ready(): Promise<unknown> {
    return this.#ready;
  }

  async close(): Promise<void> {
    await this.#app.close();
  }

  #addRoute(name: CallName): void {
    const definition: CallDefinition = ENDPOINTS[name];
    this.#app.route({
      method: definition.method,
      url: definition.path,
      bodyLimit: definition.bodyBytes ?? 1024,
      // Before any byte of the body is read.
      onRequest: (request, reply) => this.#admit(name, request, reply),
      handler: (request, reply) => this.#answer(name, request, reply),
    });
  }

  async #admit(name: CallName, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const definition: CallDefinition = ENDPOINTS[name];
    const peerId = this.#caller(request.raw.socket);
    this.#limit(peerId, definition);
    const closed = new AbortController();
    reply.raw.once('close', () => closed.abort(new CodedError('Unavailable', 'the caller is gone')));
    if (definition.atOnce !== undefined) this.#occupy(peerId, name, definition.atOnce, reply.raw);
    const bytes = bytesOf(request, definition.bodyBytes ?? 1024);
    if (bytes === 0) return;
    const budget = bytes <= SMALL_BODY ? this.#small : this.#large;
    const release = await budget.take(peerId, bytes, closed.signal);
    if (closed.signal.aborted) release();
    else closed.signal.addEventListener('abort', release, { once: true });
  }

  async #answer(name: CallName, { raw, params, body }: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const peerId = this.#caller(raw.socket);
    const definition: CallDefinition = ENDPOINTS[name];
    const query = new URL(raw.url ?? '/', 'https://peer').searchParams;
    const read = <D extends Asked>(by: D): RequestOf<D> =>
      this.#read(peerId, `${definition.method} ${definition.path}`, () =>
        readRequest(by, { params: params as Record<string, string>, query, body }),
      );
    if (name === 'session') {
      const asked = read(ENDPOINTS.session).query;
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson' });
      this.#deps.openSession(peerId, reply.raw, asked);
      return undefined;
    }
    const gone = new AbortController();
    reply.raw.on('close', () => gone.abort());
    const asked = read(definition);
    // The table of handlers and that of definitions have the same keys; only the compiler cannot follow one key through both.
    const handler = this.#deps.serving.calls[name] as (request: object) => unknown;
    const answer = await handler({ ...asked, peerId, signal: gone.signal });
    return definition.reply === 'bytes' ? reply.type('text/plain').send(answer) : answer;
  }

  async #onUpgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const peerId = this.#caller(incoming.socket);
      const url = new URL(incoming.url ?? '/', 'https://peer');
      const name = readPath(STREAM_PATH, url.pathname)?.name;
      if (name !== undefined) return await this.#onStream(peerId, name, url.searchParams, { socket, head });
      const params = readPath(POD_STREAM.path, url.pathname);
      if (params === undefined) throw new CodedError('NotFound', 'nothing here upgrades its connection');
      await this.#onPodStream(peerId, { params, query: url.searchParams }, incoming, { socket, head });
    } catch (error) {
      const coded = toCodedError(error);
      writeResponseHead(socket, httpStatusOf(coded.code), ['Content-Type', 'application/json', 'Connection', 'close']);
      socket.end(JSON.stringify({ code: coded.code, message: messageOf(coded) }));
    }
  }

  async #onPodStream(
    peerId: string,
    raw: { params: Record<string, string>; query: URLSearchParams },
    { method = 'GET', rawHeaders }: IncomingMessage,
    { socket, head }: { socket: Duplex; head: Buffer },
  ): Promise<void> {
    const gone = new AbortController();
    socket.once('close', () => gone.abort());
    this.#limit(peerId, POD_STREAM);
    const asked = this.#read(peerId, POD_STREAM.path, () => readRequest(POD_STREAM, raw));
    this.#occupy(peerId, 'pod-streams', POD_STREAM.atOnce, socket);
    const request = { ...asked, peerId, signal: gone.signal, method, rawHeaders };
    const answer = await this.#deps.serving.podStream(request);
    if (!answer.upgraded) {
      writeResponseHead(socket, answer.status, ['Content-Type', answer.contentType, 'Connection', 'close']);
      return void socket.end(answer.body);
    }
    writeResponseHead(socket, answer.status, answer.rawHeaders);
    joinStreams({ stream: socket, head }, { stream: answer.socket, head: answer.head });
  }

  async #onStream(
    peerId: string,
    name: string,
    search: URLSearchParams,
    { socket, head }: { socket: Duplex; head: Buffer },
  ): Promise<void> {
    this.#limit(peerId, { cost: 1 });
    if (!Object.hasOwn(STREAMS, name))
      throw new CodedError('NotFound', `no stream "${name.slice(0, 64)}" is served here`);
    const known = name as StreamName;
    const { query } = this.#read(peerId, `stream ${name}`, () => readRequest(STREAMS[known], { query: search }));
    this.#occupy(peerId, `stream ${name}`, STREAMS[known].atOnce, socket);
    const accept = (): Duplex => {
      writeResponseHead(socket, 101, ['Connection', 'upgrade', 'Upgrade', STREAM_PROTOCOL]);
      if (head.length > 0) socket.unshift(head);
      return socket;
    };
    // As with calls: one key of two tables.
    const serve = this.#deps.serving.streams[known] as (request: object) => void | Promise<void>;
    await serve({ peerId, query, accept });
  }

  /** What is wrong is said to the caller each time, and here once. */
  #read<T>(peerId: string, what: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      this.#deps.complaints.say({ id: peerId }, what, messageOf(error));
      throw error;
    }
  }

  /** The member behind a stream, by the certificate of its connection alone. */
  #caller(socket: unknown): string {
    const peerId = this.#callers.get(socket as object);
    if (peerId === undefined) throw new CodedError('Unauthenticated', 'this connection has no pinned certificate');
    return peerId;
  }

  #limit(peerId: string, { cost }: Pick<CallBounds, 'cost'>): void {
    const bucket = takeTokens(PEER_LIMIT, this.#buckets.get(peerId), {
      now: this.#deps.clock.monotonic(),
      count: cost,
    });
    if (bucket === undefined) throw new CodedError('ResourceExhausted', 'too many requests; try again in a moment');
    this.#buckets.set(peerId, bucket);
  }

  /** Counts what stays open until `until` is closed. */
  #occupy(peerId: string, what: string, atOnce: number, until: Duplex | ServerResponse): void {
    const key = `${peerId} ${what}`;
    const used = this.#open.get(key) ?? 0;
    if (used >= atOnce) throw new CodedError('ResourceExhausted', `${atOnce} of these are open already; end one first`);
    this.#open.set(key, used + 1);
    until.once('close', () => {
      const left = (this.#open.get(key) ?? 1) - 1;
      if (left > 0) this.#open.set(key, left);
      else this.#open.delete(key);
    });
  }
}

/** What a request may bring: a length that it does not say is the largest that there is. */
function bytesOf({ headers }: FastifyRequest, limit: number): number {
  if (headers['transfer-encoding'] !== undefined) return limit;
  return Math.min(Number(headers['content-length'] ?? 0) || 0, limit);
}
