import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock } from '../runtime/clock.ts';

/** For the head of a request on a stream, and for its body; answers may stream for as long as they like. */
const HEAD_WITHIN_MS = 10_000;
const BODY_WITHIN_MS = 60_000;

/** Ends streams on which a request does not come, or comes too slowly. Node does that only for servers that listen themselves. */
export class RequestDeadlines {
  readonly #clock: Clock;
  readonly #awaited = new WeakMap<object, AbortController>();

  constructor(server: Server, clock: Clock) {
    this.#clock = clock;
    server.on('request', (request: IncomingMessage) => {
      this.#awaited.get(request.socket)?.abort();
      if (hasBody(request)) this.#limit(request, BODY_WITHIN_MS, 'end');
    });
    server.on('upgrade', (request: IncomingMessage) => this.#awaited.get(request.socket)?.abort());
  }

  /** A stream that is to carry one request. */
  watch(stream: Duplex): void {
    this.#awaited.set(stream, this.#limit(stream, HEAD_WITHIN_MS));
  }

  #limit(what: Duplex | IncomingMessage, ms: number, done?: 'end'): AbortController {
    const settled = new AbortController();
    const settle = (): void => settled.abort();
    what.once('close', settle);
    if (done !== undefined) what.once(done, settle);
    this.#clock.sleep(ms, settled.signal).then(
      () => what.destroy(),
      () => {},
    );
    return settled;
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}
