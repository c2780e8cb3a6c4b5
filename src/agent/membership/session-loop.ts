import { CodedError } from '../../core/coded-error.ts';
import { backoffDelayMs, CONNECT_BACKOFF } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { readLines } from '../../runtime/lines.ts';
import { ENDPOINTS } from '../../wire/endpoints.ts';
import { parseSessionMessage } from '../../wire/parse-session-message.ts';
import type { PeerClient } from '../../wire/peer-client.ts';
import type { PeerConnection } from '../../wire/peer-connection.ts';
import type { SessionMessage } from '../../wire/session-message.ts';

export interface SessionDeps {
  clock: Clock;
  /** In [0, 1). */
  random(): number;
}

export interface SessionEvents {
  /** The connection to open a session on, as soon as there is one. */
  connected(signal: AbortSignal): Promise<PeerConnection>;
  onMessage(message: SessionMessage): void;
  /** The session ended, or could not be opened. */
  onClosed(error: unknown): void;
  /** The connection is there, but no session could be opened on it. */
  onStuck(): void;
}

/** From the request to the head of the answer. */
const OPEN_WITHIN_MS = 2_000;

/** Keeps a session open on the connection that is in use, and reads it. */
export class SessionLoop {
  readonly #client: PeerClient;
  readonly #deps: SessionDeps;
  readonly #events: SessionEvents;
  #stop = new AbortController();
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
      let connection: PeerConnection | undefined;
      try {
        connection = await this.#events.connected(signal);
        await this.#once(AbortSignal.any([signal, this.#stop.signal]));
      } catch (error) {
        if (signal.aborted) break;
        this.#events.onClosed(error);
        if (!this.#heard && !this.#stop.signal.aborted) this.#events.onStuck();
      }
      failures = this.#heard ? 1 : failures + 1;
      // Another connection took over: no reason to wait.
      if (connection?.draining !== false) continue;
      const delayMs = backoffDelayMs(CONNECT_BACKOFF, failures, this.#deps.random());
      await this.#deps.clock.sleep(delayMs, signal).catch(() => {});
    }
  }

  /** Ends the open session; the next one is opened on the connection that is then in use. */
  restart(): void {
    this.#stop.abort(new CodedError('Unavailable', 'the connection is used no more'));
  }

  async #once(signal: AbortSignal): Promise<void> {
    const stream = await this.#openSession(signal);
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

  async #openSession(signal: AbortSignal) {
    const { method, path } = ENDPOINTS.session;
    return withDeadline(this.#deps.clock, { ms: OPEN_WITHIN_MS, signal }, (within) =>
      this.#client.open({ method, path, signal: within }),
    );
  }
}
