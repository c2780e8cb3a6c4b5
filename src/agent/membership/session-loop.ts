import { CodedError } from '../../core/coded-error.ts';
import { backoffDelayMs, CONNECT_BACKOFF } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { readLines } from '../../runtime/lines.ts';
import { ENDPOINTS } from '../../wire/endpoints.ts';
import { parseSessionMessage } from '../../wire/parse-session-message.ts';
import type { PeerClient } from '../../wire/peer-client.ts';
import type { SessionMessage } from '../../wire/session-message.ts';

export interface SessionDeps {
  clock: Clock;
  /** In [0, 1). */
  random(): number;
}

export interface SessionEvents {
  onMessage(message: SessionMessage): void;
  /** The session ended, or could not be opened. */
  onClosed(error: unknown): void;
}

/** From the first packet to the head of the answer, at one endpoint. */
const OPEN_WITHIN_MS = 2_000;

/** Opens the session with a peer and reads it, again and again. */
export class SessionLoop {
  readonly #client: PeerClient;
  readonly #deps: SessionDeps;
  readonly #events: SessionEvents;
  #stop = new AbortController();
  #pause = new AbortController();
  #heard = false;

  constructor(client: PeerClient, deps: SessionDeps, events: SessionEvents) {
    this.#client = client;
    this.#deps = deps;
    this.#events = events;
  }

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      this.#stop = new AbortController();
      this.#heard = false;
      try {
        await this.#once(AbortSignal.any([signal, this.#stop.signal]));
      } catch (error) {
        if (!signal.aborted) this.#events.onClosed(error);
      }
      failures = this.#heard ? 1 : failures + 1;
      const delayMs = backoffDelayMs(CONNECT_BACKOFF, failures, this.#deps.random());
      this.#pause = new AbortController();
      await this.#deps.clock.sleep(delayMs, AbortSignal.any([signal, this.#pause.signal])).catch(() => {});
    }
  }

  /** Gives up the open session, which has gone silent. */
  reconnect(): void {
    this.#stop.abort(new CodedError('Unavailable', 'the peer sent no heartbeat'));
  }

  /** There is reason to think that the peer can be reached now: ends the wait for the next try. */
  hurry(): void {
    this.#pause.abort();
  }

  async #once(signal: AbortSignal): Promise<void> {
    const stream = await this.#openAnywhere(signal);
    try {
      for await (const line of readLines(stream)) {
        const message = parseSessionMessage(line);
        if (message === undefined) continue;
        this.#heard = true;
        this.#events.onMessage(message);
      }
    } finally {
      stream.destroy();
    }
    throw new CodedError('Unavailable', 'the peer closed the session');
  }

  /** Tries each endpoint; the error of the first tells most. */
  async #openAnywhere(signal: AbortSignal) {
    const errors: unknown[] = [];
    for (const endpoint of this.#client.endpoints()) {
      try {
        return await this.#openAt(endpoint, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        errors.push(error);
      }
    }
    throw errors[0] ?? new CodedError('Unavailable', 'the peer has no endpoint');
  }

  async #openAt(endpoint: string, signal: AbortSignal) {
    const { method, path } = ENDPOINTS.session;
    const late = new AbortController();
    const opened = new AbortController();
    this.#deps.clock.sleep(OPEN_WITHIN_MS, opened.signal).then(
      () => late.abort(new CodedError('Unavailable', 'no answer in time')),
      () => {},
    );
    try {
      return await this.#client.open({ method, path, signal: AbortSignal.any([signal, late.signal]) }, endpoint);
    } finally {
      opened.abort();
    }
  }
}
