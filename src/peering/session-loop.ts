import { CodedError } from '../core/coded-error.ts';
import { unlessAborted } from '../runtime/aborted.ts';
import { backoffDelayMs, CONNECT_BACKOFF } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { lateSignal } from '../runtime/deadline.ts';
import { readLines } from '../runtime/lines.ts';
import { ENDPOINTS } from '../wire/endpoints.ts';
import { parseSessionMessage } from '../wire/parse-session-message.ts';
import type { SessionMessage } from '../wire/session-message.ts';
import type { PeerClient } from './peer-client.ts';
import type { PeerConnection } from './peer-connection.ts';

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
  /** The session ended since another connection took over from the one that carried it. */
  onMoved(): void;
  /** The connection is there, but no session could be opened on it, `times` in a row. */
  onStuck(times: number): void;
}

/** From the request to the first message. */
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
    let used: PeerConnection | undefined;
    while (!signal.aborted) {
      const connection = await this.#events.connected(signal).catch(() => undefined);
      if (connection === undefined) break;
      if (connection !== used) failures = 0;
      used = connection;
      this.#heard = false;
      // Not before there is a connection: that another one took over concerns a session that is open.
      this.#stop = new AbortController();
      try {
        await this.#once(AbortSignal.any([signal, this.#stop.signal]));
      } catch (error) {
        if (signal.aborted) break;
        if (this.#stop.signal.aborted) this.#events.onMoved();
        else this.#events.onClosed(error);
      }
      failures = this.#heard ? 1 : failures + 1;
      if (this.#stop.signal.aborted || connection.draining) continue;
      if (!this.#heard) this.#events.onStuck(failures);
      const delayMs = backoffDelayMs(CONNECT_BACKOFF, failures, this.#deps.random());
      await this.#deps.clock.sleep(delayMs, signal).catch(() => {});
    }
  }

  /** Ends the open session; the next one is opened on the connection that is then in use. */
  restart(): void {
    this.#stop.abort(new CodedError('Unavailable', 'the connection is used no more'));
  }

  /** One session, until it ends, which is an error. The first message must come in time. */
  async #once(signal: AbortSignal): Promise<void> {
    const heard = new AbortController();
    const until = AbortSignal.any([signal, lateSignal(this.#deps.clock, OPEN_WITHIN_MS, heard.signal)]);
    try {
      await unlessAborted(until, this.#read(until, heard));
    } finally {
      heard.abort();
    }
    throw new CodedError('Unavailable', 'the peer closed the session');
  }

  async #read(signal: AbortSignal, heard: AbortController): Promise<void> {
    const { method, path } = ENDPOINTS.session;
    const stream = await this.#client.open({ method, path: `${path}?roster=digest&reach=changes`, signal });
    const onAbort = (): void => void stream.destroy();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      for await (const line of readLines(stream)) {
        const message = parseSessionMessage(line);
        if (message === undefined || signal.aborted) continue;
        heard.abort();
        this.#heard = true;
        this.#events.onMessage(message);
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      stream.destroy();
    }
  }
}
