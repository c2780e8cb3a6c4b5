import type { ServerResponse } from 'node:http';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { CodedError, httpStatusOf, messageOf } from '../core/coded-error.ts';
import { ACTIONS, type ActionName } from '../core/console/action-rights.ts';
import { whatIfPeerDies } from '../core/explain/what-if.ts';
import type { KubeClient } from '../kube/client.ts';
import { explain } from '../ops/cluster.ts';
import { diagnose } from '../ops/doctor/doctor.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { ActionTickets } from './action-tickets.ts';
import { type ActionRequest, isSubject, runAction } from './actions.ts';
import { ClusterWatch } from './cluster-watch.ts';
import { LiveSections, type Viewer } from './live-sections.ts';
import { LiveStream } from './live-stream.ts';
import { readPageFiles } from './page-files.ts';
import { openPodLog } from './pod-log.ts';
import { ANSWER_HEADERS, refusalOf, SECRET_BYTES, type Session } from './request-guard.ts';
import { Rights } from './rights.ts';

export interface ConsoleOptions {
  client: KubeClient;
  /** That of the kubeconfig's context. */
  namespace: string;
  /** Version of this program. */
  version: string;
  clock: Clock;
  logger: Logger;
  randomBytes(count: number): Uint8Array;
  /** Where the files of the page are. */
  pageFolder: string;
  /** 0 for any that is free. */
  port: number;
  signal: AbortSignal;
}

export interface Console {
  /** To be opened in a browser; who has it can do what the user may. */
  url: string;
  /** Resolves when it has ended: `signal` aborts, or something failed. */
  ended: Promise<void>;
}

const HOST = '127.0.0.1';
const MAX_VIEWERS = 32;
const MAX_CONNECTIONS = 128;
const MAX_BODY_BYTES = 16 * 1024;

/** Serves the console on this machine alone; everything is asked of the API server as the user. */
export async function startConsole(options: ConsoleOptions): Promise<Console> {
  const { client, clock, logger, namespace, port, signal } = options;
  const files = await readPageFiles(options.pageFolder);
  const secretText = (): string => Buffer.from(options.randomBytes(SECRET_BYTES)).toString('base64url');
  const session: Session = { secret: secretText(), csrfToken: secretText(), port };
  const rights = new Rights(client, clock);
  const watch = new ClusterWatch({ client, rights, namespace, clock, logger });
  const sections = new LiveSections({ watch, rights, client, clock });
  const app = fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true, requestTimeout: 10_000 });
  app.server.maxConnections = MAX_CONNECTIONS;
  guard(app, session);
  const base = `/${session.secret}`;
  for (const [path, { type, body }] of files) app.get(`${base}/${path}`, (_, reply) => reply.type(type).send(body));
  const parts = { ...options, rights, watch, sections, session };
  app.get(`${base}/live`, (request, reply) => serveLive(parts, request, reply));
  app.get(`${base}/log`, (request, reply) => serveLog(parts, request, reply));
  app.get(`${base}/what-if`, (request) => whatIf(parts, request));
  app.get(`${base}/doctor`, (request, reply) => serveDoctor(parts, request, reply));
  addActions(app, base, parts);
  await watch.open(signal).catch((error) => Promise.reject(explain(error)));
  await app.listen({ host: HOST, port });
  session.port = (app.server.address() as { port: number }).port;
  const ended = sections.run(signal).finally(() => app.close());
  return { url: `http://${HOST}:${session.port}${base}/`, ended };
}

/** Headers on every answer, refusals before anything else, errors as code and message. */
function guard(app: FastifyInstance, session: Session): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers(ANSWER_HEADERS);
    const { method, url, headers } = request.raw;
    const refusal = refusalOf({ method: method ?? '', url: url ?? '', headers }, session);
    if (refusal !== undefined) throw refusal;
  });
  app.setErrorHandler((error, _request, reply) => {
    const coded = toAnswer(error);
    return reply.status(httpStatusOf(coded.code)).send({ code: coded.code, message: messageOf(coded) });
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.status(404).send({ code: 'NotFound', message: 'the console has nothing there' }),
  );
}

function toAnswer(error: unknown): CodedError {
  const { statusCode } = error as { statusCode?: number };
  if (statusCode !== undefined && statusCode < 500) return new CodedError('InvalidArgument', messageOf(error));
  return explain(error);
}

interface Parts extends ConsoleOptions {
  rights: Rights;
  watch: ClusterWatch;
  sections: LiveSections;
  session: Session;
}

/** The stream of what a page shows: server-sent events, named after the sections. */
function serveLive({ sections, session, version, signal }: Parts, request: FastifyRequest, reply: FastifyReply): void {
  if (sections.viewers >= MAX_VIEWERS)
    throw new CodedError('ResourceExhausted', `${MAX_VIEWERS} pages look already; close some of them`);
  const raw = openStream(reply, 'text/event-stream');
  raw.write(`event: hello\ndata: ${JSON.stringify({ csrfToken: session.csrfToken, version })}\n\n`);
  const stream = new LiveStream(raw);
  const viewer: Viewer = {
    pod: textOf(request.query, 'pod'),
    send: (section, json) => stream.send(section, json),
  };
  sections.add(viewer);
  const end = (): void => {
    signal.removeEventListener('abort', end);
    sections.remove(viewer);
    raw.end();
  };
  raw.on('close', end);
  signal.addEventListener('abort', end, { once: true });
}

async function serveLog({ client, signal }: Parts, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const gone = new AbortController();
  reply.raw.on('close', () => gone.abort());
  const log = await openPodLog(client, {
    namespace: textOf(request.query, 'namespace') ?? '',
    pod: textOf(request.query, 'pod') ?? '',
    container: textOf(request.query, 'container'),
    previous: textOf(request.query, 'previous') === 'true',
    signal: AbortSignal.any([signal, gone.signal]),
  });
  const raw = openStream(reply, 'text/plain; charset=utf-8');
  log.on('error', () => raw.end());
  log.pipe(raw);
}

function whatIf({ watch }: Parts, request: FastifyRequest): unknown {
  const peer = textOf(request.query, 'peer') ?? '';
  const answer = whatIfPeerDies(watch.world(), peer);
  if (answer === undefined) throw new CodedError('NotFound', 'there is no such peer');
  return answer;
}

async function serveDoctor(parts: Parts, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const { client, clock, version, signal } = parts;
  const peer = textOf(request.query, 'peer');
  await streamLines(reply, diagnose(client, { clock, version, signal, peer }));
}

function addActions(app: FastifyInstance, base: string, parts: Parts): void {
  const { client, clock, randomBytes, rights, signal } = parts;
  const tickets = new ActionTickets({ clock, randomBytes });
  app.post(`${base}/do`, async (request, reply) => {
    const { ticket, ...asked } = actionFrom(request.body);
    await rights.require(asked.action, asked.subject);
    if (!asked.dryRun && !tickets.take(ticket, asked))
      throw new CodedError(
        'FailedPrecondition',
        'look first at what would be done: this was not shown, or too long ago',
      );
    const gone = new AbortController();
    reply.raw.on('close', () => gone.abort());
    const steps = runAction({ client, clock, randomBytes, signal: AbortSignal.any([signal, gone.signal]) }, asked);
    await streamLines(reply, steps, () => (asked.dryRun ? { ticket: tickets.issue(asked) } : {}));
  });
}

function actionFrom(body: unknown): ActionRequest & { ticket: string } {
  const { action, subject, dryRun, ticket = '' } = (body ?? {}) as Record<string, unknown>;
  if (!ACTIONS.includes(action as ActionName))
    throw new CodedError('InvalidArgument', `action is one of ${ACTIONS.join(', ')}`);
  if (typeof subject !== 'string' || !isSubject(action as ActionName, subject))
    throw new CodedError('InvalidArgument', 'subject is the name of a namespace or a member');
  if (typeof dryRun !== 'boolean' || typeof ticket !== 'string')
    throw new CodedError('InvalidArgument', 'dryRun is true or false, ticket is a text');
  return { action: action as ActionName, subject, dryRun, ticket };
}

/** One line of JSON for each; the last one says how it ended, since the status is sent before. */
async function streamLines(
  reply: FastifyReply,
  items: AsyncIterable<unknown>,
  last: () => object = () => ({}),
): Promise<void> {
  const raw = openStream(reply, 'application/x-ndjson');
  const line = (value: unknown): void => void raw.write(`${JSON.stringify(value)}\n`);
  try {
    for await (const item of items) line(item);
    line({ done: true, ...last() });
  } catch (error) {
    const coded = explain(error);
    line({ error: { code: coded.code, message: messageOf(coded) } });
  }
  raw.end();
}

/** An answer of our own making, with the headers of all. */
function openStream(reply: FastifyReply, type: string): ServerResponse {
  reply.hijack();
  reply.raw.writeHead(200, { ...ANSWER_HEADERS, 'content-type': type });
  reply.raw.flushHeaders();
  return reply.raw;
}

/** A text of the query; nothing where it is missing, or there more than once. */
function textOf(query: unknown, name: string): string | undefined {
  const value = (query as Record<string, unknown>)[name];
  return typeof value === 'string' && value !== '' && value.length <= 600 ? value : undefined;
}
