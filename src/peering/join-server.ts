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

/** What is refused, of one address (of IPv6 of one network of 64 bits): guesses of secrets are slow, and keep nobody else out. */
const REFUSALS: RateLimit = { perSecond: 0.2, burst: 10 };
/** Whose are remembered. Of more the oldest goes, which has tried nothing for longest. */
const MAX_ADDRESSES = 4_096;
/** A newcomer's only request; then it has no business here any more. */
const JOIN_WITHIN_MS = 30_000;

/** Serves newcomers, who are strangers: they get a fixed time, whatever they do. */
export class JoinServer {
  readonly #clock: Clock;
  readonly #server = createHttpServer();
  readonly #app: FastifyInstance;
  /** By address, the one that was refused last comes last. */
  readonly #refused = new Map<string, Bucket>();

  constructor(join: (request: JoinRequest) => Promise<JoinReply>, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#clock = clock;
    this.#app = createHttpApp(this.#server, logger);
    this.#app.route({
      method: JOIN.method,
      url: JOIN.path,
      bodyLimit: JOIN.bodyBytes,
      handler: async ({ body, raw }) => {
        const giveBack = this.#take(networkOf(raw.socket.remoteAddress));
        const reply = await join(readRequest(JOIN, { body }).body);
        giveBack();
        return reply;
      },
    });
  }

  /** Counts a request as refused until it is given back. Throws ResourceExhausted. */
  #take(from: string): () => void {
    const before = this.#refused.get(from);
    const bucket = takeTokens(REFUSALS, before, { now: this.#clock.monotonic(), count: JOIN.cost });
    if (bucket === undefined) throw new CodedError('ResourceExhausted', 'too many requests; try again in a moment');
    this.#refused.delete(from);
    this.#refused.set(from, bucket);
    for (const old of this.#refused.keys()) if (this.#refused.size > MAX_ADDRESSES) this.#refused.delete(old);
    return () => {
      const now = this.#refused.get(from);
      if (now !== undefined) this.#refused.set(from, { ...now, tokens: now.tokens + JOIN.cost });
    };
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

/** An IPv4 address, or the first 64 bits of another one. */
export function networkOf(address = ''): string {
  const ipv4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (ipv4 !== undefined) return ipv4;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups(head).length - groups(tail).length);
  return [...groups(head), ...Array.from({ length: zeros }, () => '0'), ...groups(tail ?? '')].slice(0, 4).join(':');
}
