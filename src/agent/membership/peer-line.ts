import type { Duplex } from 'node:stream';
import { CodedError, messageOf } from '../../core/coded-error.ts';
import { chooseConnection } from '../../core/membership/connection-choice.ts';
import { backoffDelayMs, CONNECT_BACKOFF } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { PeerConnection } from '../../wire/peer-connection.ts';

export interface PeerLineDeps {
  ownId: string;
  peerId: string;
  /** Opens a connection to the peer by whatever way there is. */
  dial(signal: AbortSignal): Promise<PeerConnection>;
  /** Serves a stream that the peer opened. */
  serve(stream: Duplex): void;
  /** Another connection is to be used from now on, or none. */
  onChange(): void;
  /** The last try to connect failed. */
  onFailure(error: unknown): void;
  clock: Clock;
  random(): number;
}

/** When both come up at once, both dial: the one with the larger ID waits this long for the other's connection. */
const POLITE_WAIT_MS = 150;
/** An older connection must answer within this when the peer opened another one. */
const ALIVE_WITHIN_MS = 1_000;

/** The line to one peer: at most one connection in use, opened by either side, opened again when it is lost. */
export class PeerLine {
  readonly #deps: PeerLineDeps;
  /** Oldest first; more than one only for a moment, when both sides dialled at once. */
  #open: PeerConnection[] = [];
  #current: PeerConnection | undefined;
  #wake = new AbortController();
  #waiting: ((connection: PeerConnection) => void)[] = [];

  constructor(deps: PeerLineDeps) {
    this.#deps = deps;
  }

  get current(): PeerConnection | undefined {
    return this.#current;
  }

  /** A new stream to the peer's server. Throws Unavailable. */
  open(signal: AbortSignal): Promise<Duplex> {
    if (this.#current !== undefined) return this.#current.open(signal);
    return Promise.reject(new CodedError('Unavailable', 'there is no connection to it now'));
  }

  /** The connection in use, as soon as there is one. */
  connected(signal: AbortSignal): Promise<PeerConnection> {
    if (this.#current !== undefined) return Promise.resolve(this.#current);
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  /** Takes over a connection that is up, whoever opened it. */
  accept(connection: PeerConnection): void {
    const others = this.#open.filter((one) => !one.draining);
    this.#open.push(connection);
    connection.onDraining(() => this.#choose());
    connection.onClose((reason) => this.#onClosed(connection, reason));
    connection.serve((stream) => this.#deps.serve(stream));
    this.#choose();
    // The peer would hardly have dialled had it still had the older one: that may be dead without our knowing.
    for (const other of others) void this.#probe(other);
  }

  /** There is reason to think that the peer can be reached now: ends the wait for the next try. */
  hurry(): void {
    this.#wake.abort();
  }

  /** Gives up the connection in use, which has gone silent. */
  reconnect(): void {
    this.#current?.close(new CodedError('Unavailable', 'the peer sent no heartbeat'));
  }

  /** Keeps the line up until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { ownId, peerId, random } = this.#deps;
    if (ownId > peerId) await this.#pause(POLITE_WAIT_MS, signal);
    for (let failures = 0; !signal.aborted; ) {
      if (this.#current !== undefined) {
        failures = 0;
        await this.#lost(this.#current, signal);
        if (ownId > peerId) await this.#pause(POLITE_WAIT_MS, signal);
        continue;
      }
      try {
        this.accept(await this.#deps.dial(signal));
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        if (this.#current === undefined) this.#deps.onFailure(error);
      }
      if (this.#current === undefined)
        await this.#pause(backoffDelayMs(CONNECT_BACKOFF, Math.max(1, failures), random()), signal);
    }
    for (const connection of this.#open) connection.close(new CodedError('Unavailable', 'the link was ended'));
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    if (this.#current !== undefined) return;
    await this.#deps.clock.sleep(ms, AbortSignal.any([signal, this.#wake.signal])).catch(() => {});
  }

  #lost(connection: PeerConnection, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      connection.onClose(() => resolve());
      connection.onDraining(() => resolve());
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async #probe(connection: PeerConnection): Promise<void> {
    const answered = new AbortController();
    const late = new AbortController();
    this.#deps.clock.sleep(ALIVE_WITHIN_MS, answered.signal).then(
      () => late.abort(),
      () => {},
    );
    try {
      await connection.ping(late.signal);
    } catch (error) {
      connection.close(error);
    } finally {
      answered.abort();
    }
  }

  #onClosed(connection: PeerConnection, reason: unknown): void {
    this.#open = this.#open.filter((one) => one !== connection);
    this.#choose();
    if (this.#current === undefined && reason !== undefined) this.#deps.onFailure(new Error(messageOf(reason)));
  }

  #choose(): void {
    const { ownId, peerId } = this.#deps;
    const { use, drop } = chooseConnection(ownId, peerId, this.#open);
    const changed = use !== this.#current;
    this.#current = use;
    for (const connection of drop) connection.drain();
    if (!changed) return;
    this.#wake.abort();
    if (use !== undefined) for (const resolve of this.#waiting.splice(0)) resolve(use);
    this.#deps.onChange();
  }
}
