import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { CodedError, hasCode, httpStatusOf, messageOf } from '../core/coded-error.ts';
import type { EndpointReach } from '../core/diagnosis/diagnosis.ts';
import type { ConfigObject, Pod } from '../core/kube-objects.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import type { RosterVersions } from '../core/membership/roster-digest.ts';
import type { PodSubmission } from '../core/offloading/pod-submission.ts';
import { type Bucket, type RateLimit, takeToken } from '../core/rate-limit.ts';
import type { ObjectReference } from '../core/reflection/references.ts';
import type { SentService } from '../core/service/sent-service.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { joinStreams, writeResponseHead } from '../runtime/upgrade.ts';
import {
  ENDPOINTS,
  type Endpoint,
  parseStreamPath,
  parseUpgradePath,
  RELAYED_STREAM,
  STREAM_PROTOCOL,
} from '../wire/endpoints.ts';
import type { RosterDifference } from '../wire/roster-difference.ts';
import { createFrontDoor, type Door, type FrontDoor } from './front-door.ts';
import type { JoinAnswer, JoinRequest } from './join-client.ts';
import { MembersDoor } from './members-door.ts';
import type { PeerHello } from './peer-connection.ts';
import type {
  PeerConnections,
  PeerServing,
  PeerStreamServer,
  PodProvider,
  PodStatsSource,
  PodStreams,
  Roster,
  ServiceMirrorDesk,
  SessionSource,
} from './ports.ts';
import { RequestDeadlines } from './request-deadlines.ts';
import { type SessionQuery, SessionStream } from './session-stream.ts';

export interface PeerServerDeps {
  identity: { id: string; key: string; certificate: string };
  /** What this agent says about itself on each connection. */
  hello: PeerHello;
  roster: Roster;
  /** Takes over the connections of members that come in. */
  connections: PeerConnections;
  source: SessionSource;
  provider: PodProvider;
  services: ServiceMirrorDesk;
  streams: PodStreams;
  stats: PodStatsSource;
  /** Raw streams of other features, by name. */
  peerStreams: Readonly<Record<string, PeerStreamServer>>;
  join(request: JoinRequest): Promise<JoinAnswer>;
  /** Tries the endpoints of a peer. */
  reach(peerId: string): Promise<EndpointReach[]>;
  /** Notes that a peer is told to go on with our fenced pods, but for those that are given back. */
  grants: { grant(peerId: string, pods: readonly string[]): string[] };
  clock: Clock;
  logger: Logger;
}

const PEER_LIMIT: RateLimit = { perSecond: 100, burst: 500 };
/** Everybody who wants to join shares one bucket: guesses of secrets are slow. */
const JOIN_LIMIT: RateLimit = { perSecond: 1, burst: 20 };

const HANDSHAKE_WITHIN_MS = 10_000;
/** A newcomer's only request; then it has no business here any more. */
const JOIN_WITHIN_MS = 30_000;

/** The peer port of this member. */
export class PeerServer implements PeerServing {
  readonly #deps: PeerServerDeps;
  readonly #door: FrontDoor;
  readonly #members: MembersDoor;
  readonly #peersApp: FastifyInstance;
  readonly #joinApp: FastifyInstance;
  readonly #peersServer: HttpServer;
  readonly #deadlines: RequestDeadlines;
  readonly #joinServer: HttpsServer;
  readonly #ready: Promise<unknown>;
  readonly #sessions = new Set<SessionStream>();
  /** The peer behind each stream, by the certificate of the connection that carries it. */
  readonly #callers = new WeakMap<object, string>();
  readonly #buckets = new Map<string, Bucket>();

  constructor(deps: PeerServerDeps) {
    this.#deps = deps;
    const { key, certificate: cert } = deps.identity;
    this.#joinServer = createHttpsServer({
      key,
      cert,
      minVersion: 'TLSv1.3',
      handshakeTimeout: HANDSHAKE_WITHIN_MS,
    });
    this.#joinServer.on('tlsClientError', (error) => deps.logger.debug({ err: error }, 'TLS handshake refused'));
    this.#joinApp = this.#createApp(this.#joinServer);
    this.#peersServer = createHttpServer();
    this.#deadlines = new RequestDeadlines(this.#peersServer, deps.clock);
    this.#peersServer.on('upgrade', (request, socket, head) => void this.#onUpgrade(request, socket, head));
    this.#peersApp = this.#createApp(this.#peersServer);
    this.#addRoutes();
    this.#ready = Promise.all([this.#joinApp.ready(), this.#peersApp.ready()]);
    this.#members = new MembersDoor({
      ...deps,
      onConnection: (connection) => deps.connections.accept(connection),
      onMember: (socket) => this.#door.onMember(socket),
      onStream: (peerId, stream) => this.serve(peerId, stream),
    });
    this.#door = createFrontDoor({ join: this.#joinDoor(), peers: this.#members }, deps.clock);
    deps.roster.onChange(() => this.#onRoster());
    deps.connections.onReachChange(() => {
      for (const session of this.#sessions) session.note('reach');
    });
    deps.source.onChange((peerId, change) => {
      for (const session of this.#sessions) if (peerId === 'all' || session.peerId === peerId) session.note(change);
    });
  }

  /** A stream that a member opened on its connection: it carries one HTTP connection. */
  serve(peerId: string, stream: Duplex): void {
    this.#callers.set(stream, peerId);
    this.#deadlines.watch(stream);
    // A peer that we dialled may ask before our own port is open: a request that finds the routes half made ends the process.
    void this.#ready.then(() => this.#peersServer.emit('connection', stream));
  }

  /** @param port 0 takes any free one. @returns the port */
  async listen(host: string, port: number): Promise<number> {
    await this.#ready;
    await new Promise<void>((resolve, reject) => {
      this.#door.server.once('error', reject);
      this.#door.server.listen(port, host, resolve);
    });
    return (this.#door.server.address() as AddressInfo).port;
  }

  /** Tells peers that this agent will be back, and closes everything. */
  async close(): Promise<void> {
    for (const session of this.#sessions) session.bye();
    this.#door.server.close();
    await this.#deps.clock.sleep(50);
    this.#members.close();
    await Promise.all([this.#joinApp.close(), this.#peersApp.close()]);
  }

  /** Who comes in here is a stranger: it gets a fixed time, whatever it does. */
  #joinDoor(): Door {
    return {
      emit: (_event, socket) => {
        const closed = new AbortController();
        socket.once('close', () => closed.abort());
        this.#deps.clock.sleep(JOIN_WITHIN_MS, closed.signal).then(
          () => socket.destroy(),
          () => {},
        );
        return this.#joinServer.emit('connection', socket);
      },
    };
  }

  #createApp(server: HttpServer | HttpsServer): FastifyInstance {
    const app = fastify({
      serverFactory: (handler) => server.on('request', handler) as HttpServer,
      // Objects of Kubernetes pass through: nothing may be removed, converted or filled in.
      ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
      exposeHeadRoutes: false,
      forceCloseConnections: true,
    });
    app.setErrorHandler((error, _request, reply) => {
      const coded = toCodedError(error);
      if (coded.code === 'Internal') this.#deps.logger.error({ err: error }, 'request failed');
      return reply.status(httpStatusOf(coded.code)).send({ code: coded.code, message: messageOf(coded) });
    });
    app.setNotFoundHandler((request, reply) =>
      reply.status(404).send({ code: 'NotFound', message: `no endpoint ${request.method} ${request.url}` }),
    );
    return app;
  }

  #addRoutes(): void {
    const { provider, roster, streams } = this.#deps;
    this.#route(this.#joinApp, ENDPOINTS.join, async (request) => {
      this.#limit('join', JOIN_LIMIT);
      return this.#deps.join(request.body as JoinRequest);
    });
    this.#route(this.#peersApp, ENDPOINTS.roster, async (request, peerId) => {
      await roster.tell((request.body as { records: PeerRecord[] }).records, peerId);
      return {};
    });
    this.#route(this.#peersApp, ENDPOINTS.rosterDifference, async (request) => {
      const { versions } = request.body as { versions: RosterVersions };
      return { digest: roster.digest(), records: roster.missingFrom(versions) } satisfies RosterDifference;
    });
    this.#route(this.#peersApp, ENDPOINTS.submitPod, (request, peerId) =>
      provider.submit(peerId, uidOf(request), request.body as PodSubmission),
    );
    this.#route(this.#peersApp, ENDPOINTS.updatePod, async (request, peerId) => {
      await provider.update(peerId, uidOf(request), (request.body as { pod: Pod }).pod);
      return {};
    });
    this.#route(this.#peersApp, ENDPOINTS.stats, async (request, peerId) => {
      const query = new URL(request.url, 'https://peer').searchParams;
      const options = { onlyCpuAndMemory: query.get('only_cpu_and_memory') === 'true' };
      return { pods: await this.#deps.stats.statsFor(peerId, options) };
    });
    this.#route(this.#peersApp, ENDPOINTS.reach, async (_request, peerId) => ({
      endpoints: await this.#deps.reach(peerId),
    }));
    this.#route(this.#peersApp, ENDPOINTS.lease, async (request, peerId) => {
      const { pods } = (request.body ?? { pods: [] }) as { pods: string[] };
      return { ended: this.#deps.grants.grant(peerId, pods) };
    });
    this.#route(this.#peersApp, ENDPOINTS.deletePod, async (request, peerId) => {
      await provider.delete(peerId, uidOf(request), graceOf(request));
      return {};
    });
    this.#route(this.#peersApp, ENDPOINTS.updateObjects, async (request, peerId) => {
      const { namespace } = request.params as { namespace: string };
      const { objects, gone } = request.body as { objects: ConfigObject[]; gone?: ObjectReference[] };
      await provider.updateObjects(peerId, namespace, objects, gone);
      return {};
    });
    this.#route(this.#peersApp, ENDPOINTS.updateServices, async (request, peerId) => {
      const { namespace } = request.params as { namespace: string };
      const { services } = request.body as { services: SentService[] };
      return { problems: await this.#deps.services.update(peerId, namespace, services) };
    });
    const { session, logs } = ENDPOINTS;
    this.#peersApp.route({
      method: session.method,
      url: session.path,
      handler: (request, reply) => {
        const peerId = this.#caller(request.raw.socket);
        reply.hijack();
        reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson' });
        this.#openSession(peerId, reply.raw, request.query as SessionQuery);
      },
    });
    this.#peersApp.route({
      method: logs.method,
      url: logs.path,
      handler: async (request, reply) => {
        const peerId = this.#caller(request.raw.socket);
        this.#limit(peerId, PEER_LIMIT);
        const { uid, container } = request.params as { uid: string; container: string };
        const gone = new AbortController();
        reply.raw.on('close', () => gone.abort());
        const query = new URL(request.url, 'https://peer').searchParams;
        const body = await streams.logs(provider.locate(peerId, uid), container, query, gone.signal);
        return reply.type('text/plain').send(body);
      },
    });
  }

  #route(
    app: FastifyInstance,
    endpoint: Endpoint,
    handle: (request: FastifyRequest, peerId: string) => Promise<unknown>,
  ): void {
    app.route({
      method: endpoint.method,
      url: endpoint.path,
      bodyLimit: endpoint.bodyLimit,
      schema: {
        ...(endpoint.body === undefined ? {} : { body: endpoint.body }),
        ...(endpoint.params === undefined ? {} : { params: endpoint.params }),
      },
      handler: async (request) => {
        const peerId = app === this.#joinApp ? '' : this.#caller(request.raw.socket);
        if (peerId !== '') this.#limit(peerId, PEER_LIMIT);
        return handle(request, peerId);
      },
    });
  }

  #openSession(peerId: string, out: ServerResponse, asked: SessionQuery): void {
    const { source, roster, connections, clock, identity, hello: own } = this.#deps;
    // A peer has one session: a newer one replaces the older, which may be half-open.
    for (const session of this.#sessions) if (session.peerId === peerId) session.close();
    const hello = { type: 'hello', id: identity.id, protocol: own.protocol, version: own.version } as const;
    const session = new SessionStream(peerId, out, { source, roster, asked, connections, hello, clock });
    this.#sessions.add(session);
    out.on('close', () => this.#sessions.delete(session));
  }

  async #onUpgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    try {
      const peerId = this.#caller(incoming.socket);
      this.#limit(peerId, PEER_LIMIT);
      const stream = parseStreamPath(incoming.url ?? '/');
      if (stream !== undefined) return await this.#onStream(peerId, stream, { socket, head });
      const wanted = parseUpgradePath(incoming.url ?? '/');
      if (wanted === undefined) throw new CodedError('NotFound', 'nothing here upgrades its connection');
      const { action, query } = wanted;
      const container = query.get('container') ?? undefined;
      query.delete('container');
      const pod = this.#deps.provider.locate(peerId, wanted.uid);
      const { method = 'GET', rawHeaders } = incoming;
      const answer = await this.#deps.streams.upgrade(pod, { method, action, container, query, rawHeaders });
      if (!answer.upgraded) {
        writeResponseHead(socket, answer.status, ['Content-Type', answer.contentType, 'Connection', 'close']);
        return void socket.end(answer.body);
      }
      writeResponseHead(socket, answer.status, answer.rawHeaders);
      joinStreams({ stream: socket, head }, { stream: answer.socket, head: answer.head });
    } catch (error) {
      const coded = toCodedError(error);
      writeResponseHead(socket, httpStatusOf(coded.code), ['Content-Type', 'application/json', 'Connection', 'close']);
      socket.end(JSON.stringify({ code: coded.code, message: messageOf(coded) }));
    }
  }

  async #onStream(
    peerId: string,
    { name, query }: { name: string; query: URLSearchParams },
    { socket, head }: { socket: Duplex; head: Buffer },
  ): Promise<void> {
    const serve = name === RELAYED_STREAM ? this.#onRelayed : this.#deps.peerStreams[name];
    if (serve === undefined) throw new CodedError('NotFound', `no stream "${name}" is served here`);
    const accept = (): Duplex => {
      writeResponseHead(socket, 101, ['Connection', 'upgrade', 'Upgrade', STREAM_PROTOCOL]);
      if (head.length > 0) socket.unshift(head);
      return socket;
    };
    await serve({ peerId, query, accept });
  }

  /** A third member carries this connection: who is at its other end shows in the handshake, as for any other. */
  readonly #onRelayed: PeerStreamServer = ({ accept }) => void this.#members.emit('connection', accept());

  /** The member behind a stream, by the certificate of its connection alone. */
  #caller(socket: unknown): string {
    const peerId = this.#callers.get(socket as object);
    if (peerId === undefined) throw new CodedError('Unauthenticated', 'this connection has no pinned certificate');
    return peerId;
  }

  #onRoster(): void {
    const { key, certificate: cert } = this.#deps.identity;
    if (this.#members.refresh()) this.#joinServer.setSecureContext({ key, cert, minVersion: 'TLSv1.3' });
    for (const session of this.#sessions) session.note('roster');
  }

  #limit(who: string, limit: RateLimit): void {
    const bucket = takeToken(limit, this.#buckets.get(who), this.#deps.clock.monotonic());
    if (bucket === undefined) throw new CodedError('ResourceExhausted', 'too many requests; try again in a moment');
    this.#buckets.set(who, bucket);
  }
}

function uidOf(request: FastifyRequest): string {
  return (request.params as { uid: string }).uid;
}

function graceOf(request: FastifyRequest): number | undefined {
  const text = (request.query as { gracePeriodSeconds?: unknown }).gracePeriodSeconds;
  // What an API server would not take is none; what is longer than the provider lets it be is cut there.
  return typeof text === 'string' && /^[0-9]{1,10}$/.test(text) ? Number(text) : undefined;
}

function toCodedError(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  const { statusCode, validation } = error as { statusCode?: number; validation?: unknown };
  if (validation !== undefined || statusCode === 400 || statusCode === 415)
    return new CodedError('InvalidArgument', messageOf(error));
  if (statusCode === 413) return new CodedError('ResourceExhausted', 'the request is too large');
  if (hasCode((error as Error).cause)) return (error as Error).cause as CodedError;
  return new CodedError('Internal', messageOf(error));
}
