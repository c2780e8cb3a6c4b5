import { setImmediate } from 'node:timers/promises';
import { CodedError, hasCode, messageOf } from '../core/coded-error.ts';
import { parseJson } from '../core/json-bounds.ts';
import { type Bucket, type RateLimit, takeTokens } from '../core/rate-limit.ts';
import { unlessAborted } from '../runtime/aborted.ts';
import { backoffDelayMs, CONNECT_BACKOFF } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { lateSignal } from '../runtime/deadline.ts';
import { readLines } from '../runtime/lines.ts';
import { readMessage } from '../wire/check.ts';
import { ENDPOINTS } from '../wire/endpoints.ts';
import { isListOfPods, readListOfPods } from '../wire/list-of-pods.ts';
import { MAX_MESSAGE_CHARS, type SessionMessage } from '../wire/messages.ts';
import type { PeerClient } from './peer-client.ts';
import type { PeerConnection } from './peer-connection.ts';

export interface SessionReaderDeps {
  /** Of the peer, for people. */
  name: string;
  client: Pick<PeerClient, 'open'>;
  /** How long (characters) a list of all pods in one line may be: members of before send it so. */
  maxListChars(): number;
  clock: Clock;
  /** In [0, 1). */
  random(): number;
}

export interface SessionEvents {
  /** The connection to open a session on, as soon as there is one. */
  connected(signal: AbortSignal): Promise<PeerConnection>;
  onMessage(message: SessionMessage): void;
  /** A message that is not as it should be; it is passed over. @param type undefined where the session ends by it */
  onMalformed(problem: string, type: string | undefined): void;
  /** The session ended, or could not be opened. */
  onClosed(error: unknown): void;
  /** The session ended since another connection took over from the one that carried it. */
  onMoved(): void;
  /** The connection is there, but no session could be opened on it, `times` in a row. */
  onStuck(times: number): void;
}

/** From the request to the first message. */
const OPEN_WITHIN_MS = 2_000;
/** A peer that says more waits until it is read: everything that it says costs work here. */
const MESSAGES: RateLimit = { perSecond: 500, burst: 10_000 };
const CHARS: RateLimit = { perSecond: 4 * 1024 * 1024, burst: 32 * 1024 * 1024 };

/** Keeps a session open on the connection that is in use, and reads it. */
export class SessionReader {
  readonly #deps: SessionReaderDeps;
  readonly #events: SessionEvents;
  #stop = new AbortController();
  #heard = false;
  #messages: Bucket | undefined;
  #chars: Bucket | undefined;

  constructor(deps: SessionReaderDeps, events: SessionEvents) {
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
      let isMalformed = false;
      // Not before there is a connection: that another one took over concerns a session that is open.
      this.#stop = new AbortController();
      try {
        await this.#once(AbortSignal.any([signal, this.#stop.signal]));
      } catch (error) {
        if (signal.aborted) break;
        isMalformed = hasCode(error, 'InvalidArgument');
        if (isMalformed) this.#events.onMalformed(messageOf(error), undefined);
        if (this.#stop.signal.aborted) this.#events.onMoved();
        else this.#events.onClosed(error);
      }
      // One that breaks off by what it says does so again.
      failures = this.#heard && !isMalformed ? 1 : failures + 1;
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
    const query = { roster: 'digest', reach: 'changes', pods: 'parts' };
    const stream = await this.#deps.client.open(ENDPOINTS.session, { query }, signal);
    const onAbort = (): void => void stream.destroy();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      for await (const line of this.#lines(stream)) {
        await this.#pace(line.length, signal);
        const message = await this.#messageIn(line);
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

  async *#lines(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
    const { name, maxListChars } = this.#deps;
    const most = (start: string): number => (isListOfPods(start) ? maxListChars() : MAX_MESSAGE_CHARS);
    try {
      yield* readLines(stream, most);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new CodedError('InvalidArgument', `a line of the session with ${name} is too long: ${error.message}`);
    }
  }

  async #messageIn(line: string): Promise<SessionMessage | undefined> {
    const { name } = this.#deps;
    try {
      return line.length > MAX_MESSAGE_CHARS
        ? await readListOfPods(line, name, () => setImmediate())
        : readMessage(line, name);
    } catch (error) {
      // What is no JSON may go on in the middle of anything; what is only another message than it should be is passed over.
      const type = hasCode(error, 'InvalidArgument') && line.length <= MAX_MESSAGE_CHARS ? typeOf(line) : undefined;
      if (type === undefined) throw error;
      this.#events.onMalformed(messageOf(error), type);
      return undefined;
    }
  }

  /** Waits where the peer says more than it may. */
  async #pace(chars: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      const now = clock.monotonic();
      const messages = takeTokens(MESSAGES, this.#messages, { now, count: 1 });
      const text = takeTokens(CHARS, this.#chars, { now, count: Math.min(chars, CHARS.burst) });
      if (messages !== undefined && text !== undefined) {
        this.#messages = messages;
        this.#chars = text;
        return;
      }
      await clock.sleep(PACE_MS, signal).catch(() => {});
    }
  }
}

const PACE_MS = 20;

/** What a message says to be; undefined where it is none at all. */
function typeOf(line: string): string | undefined {
  try {
    const { type } = parseJson(line) as { type?: unknown };
    return typeof type === 'string' ? type : undefined;
  } catch {
    return undefined;
  }
}
