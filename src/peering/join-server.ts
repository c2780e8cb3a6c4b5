import { createServer as createHttpServer } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { CodedError } from '../core/coded-error.ts';
import { type Bucket, type RateLimit, takeTokens } from '../core/rate-limit.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import { readRequest } from '../wire/check.ts';
import { JOIN } from '../wire/endpoints.ts';
import { createHttpApp } from './http-app.ts';
import type { JoinReply, JoinRequest } from './serving.ts';

/** Everybody who wants to join shares one bucket: guesses of secrets are slow. */
const JOIN_LIMIT: RateLimit = { perSecond: 1, burst: 20 };
/** A newcomer's only request; then it has no business here any more. */
const JOIN_WITHIN_MS = 30_000;

/** Serves newcomers, who are strangers: they get a fixed time, whatever they do. */
export class JoinServer {
  readonly #clock: Clock;
  readonly #server = createHttpServer();
  readonly #app: FastifyInstance;
  #bucket: Bucket | undefined;

  constructor(join: (request: JoinRequest) => Promise<JoinReply>, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#clock = clock;
    this.#app = createHttpApp(this.#server, logger);
    this.#app.route({
      method: JOIN.method,
      url: JOIN.path,
      bodyLimit: JOIN.bodyBytes,
      handler: async ({ body }) => {
        const bucket = takeTokens(JOIN_LIMIT, this.#bucket, { now: clock.monotonic(), count: JOIN.cost });
        if (bucket === undefined) throw new CodedError('ResourceExhausted', 'too many requests; try again in a moment');
        this.#bucket = bucket;
        return join(readRequest(JOIN, { body }).body);
      },
    });
  }

  ready(): Promise<unknown> {
    return Promise.resolve(this.#app.ready());
  }

  serve(socket: TLSSocket): void {
    const closed = new AbortController();
    socket.once('close', () => closed.abort());
    this.#clock.sleep(JOIN_WITHIN_MS, closed.signal).then(
      () => socket.destroy(),
      () => {},
    );
    this.#server.emit('connection', socket);
  }

  async close(): Promise<void> {
    await this.#app.close();
  }
}
