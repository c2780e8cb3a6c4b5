import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { CodedError, httpStatusOf, messageOf } from '../core/coded-error.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { serveUnixSocket, type UnixSocket } from './unix-socket.ts';

/**
 * HTTP over a Unix socket, between processes of one node. By Node's own means, as some of these processes are small: fastify is 7 MB
 * more. An import would evaluate all that node:http gives, WebSockets among it, which is 6 MB.
 */
const http = process.getBuiltinModule('node:http');

/** A request as it came. */
export interface LocalRequest {
  query: URLSearchParams;
  /** The body. */
  text: string;
}

export interface LocalRoute {
  bodyBytes: number;
  /** Gives what is answered as JSON; what it throws is answered as code and message. */
  answer(request: LocalRequest): Promise<unknown>;
}

export interface LocalHttpOptions {
  /** By method and path, such as `PUT /v1/leases`. */
  routes: ReadonlyMap<string, LocalRoute>;
  /** Of the socket: who may connect. */
  mode: number;
  logger: Logger;
  /** Takes a connection whose first byte is `byte`, where its callers speak something else than HTTP. */
  other?: { byte: string; serve(connection: Socket): void };
}

/** Serves these routes, also where another process did. @param path of the socket, in a folder that is there */
export async function serveLocalHttp(path: string, options: LocalHttpOptions): Promise<UnixSocket> {
  const { mode, logger, other } = options;
  // A connection lasts: another one is another process, for who asks.
  const server = http.createServer({ keepAliveTimeout: 0 }, (request, response) => {
    void answer(request, response, options);
  });
  const serve = (connection: Socket): void => {
    if (other === undefined) return void server.emit('connection', connection);
    connection.once('readable', () => {
      const first = connection.read() as Buffer | null;
      if (first === null) return void connection.destroy();
      connection.unshift(first);
      if (first.subarray(0, 1).toString() === other.byte) other.serve(connection);
      else server.emit('connection', connection);
    });
  };
  return serveUnixSocket(path, { serve, mode, logger });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { routes, logger }: LocalHttpOptions,
): Promise<void> {
  const say = (status: number, value: unknown): void => {
    const text = JSON.stringify(value);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    response.writeHead(status, headers).end(text);
  };
  try {
    const [path = '', query = ''] = (request.url ?? '').split('?', 2);
    const route = routes.get(`${request.method} ${path}`);
    if (route === undefined) throw new CodedError('NotFound', `no call ${request.method} ${path} here`);
    say(200, await route.answer({ query: new URLSearchParams(query), text: await read(request, route.bodyBytes) }));
  } catch (err) {
    logger.error({ err, call: `${request.method} ${request.url}` }, 'a request from beside us failed');
    const code = err instanceof CodedError ? err.code : 'Internal';
    // What was not read of a body would be taken for the next request.
    if (!request.complete) response.setHeader('connection', 'close');
    if (!response.headersSent) say(httpStatusOf(code), { code, message: messageOf(err) });
  }
}

/** The body. Throws ResourceExhausted. */
async function read(body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new CodedError('ResourceExhausted', `more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export interface LocalCallerOptions {
  /** Of the socket. */
  path: string;
  /** Said when nobody answers. */
  unavailable: string;
  clock: Clock;
}

export interface LocalCall {
  method: string;
  /** Path and query. */
  target: string;
  /** JSON. */
  body?: string;
  withinMs: number;
  /** The largest answer that is read. */
  maxBytes: number;
}

export interface LocalAnswer {
  status: number;
  text: string;
}

/** The side that asks: one request after the other, on one connection that lasts. */
export class LocalCaller {
  readonly #options: LocalCallerOptions;
  readonly #connections = new http.Agent({ keepAlive: true, maxSockets: 1 });
  readonly #oneByOne = oneAtATime();
  #generation = 0;

  constructor(options: LocalCallerOptions) {
    this.#options = options;
    this.#connections.createConnection = () => {
      this.#generation += 1;
      return connect(options.path);
    };
  }

  /** Grows with each connection: another one may mean another process, which knows nothing yet. */
  get generation(): number {
    return this.#generation;
  }

  /** Throws Unavailable when nobody answers, or something else than HTTP (`isNoHttp`). */
  ask(call: LocalCall): Promise<LocalAnswer> {
    return this.#oneByOne(async () => {
      try {
        return await this.#ask(call);
      } catch (error) {
        throw new CodedError('Unavailable', this.#options.unavailable, error);
      }
    });
  }

  close(): void {
    this.#connections.destroy();
  }

  async #ask({ method, target, body, withinMs, maxBytes }: LocalCall): Promise<LocalAnswer> {
    // A line of its own, for who reads lines.
    const text = body === undefined ? undefined : `${body}\n`;
    const headers = text === undefined ? {} : { 'content-length': Buffer.byteLength(text) };
    const request = http.request({ agent: this.#connections, host: 'beside', method, path: target, headers });
    const over = new AbortController();
    this.#options.clock.sleep(withinMs, over.signal).then(
      () => request.destroy(new Error(`no answer within ${withinMs} ms`)),
      () => {},
    );
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        request.on('response', resolve).on('error', reject).end(text);
        // Without an error where an upgrade came that nobody asked for.
        request.on('close', () => reject(new Error('the connection was closed')));
      });
      return { status: response.statusCode ?? 0, text: await read(response, maxBytes) };
    } finally {
      over.abort();
    }
  }
}

/** Whether a request failed since what answers there speaks something else. */
export function isNoHttp(error: unknown): boolean {
  const cause = error instanceof CodedError ? (error.cause as { code?: unknown } | undefined) : undefined;
  return typeof cause?.code === 'string' && cause.code.startsWith('HPE_');
}
