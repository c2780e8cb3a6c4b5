import type { Duplex } from 'node:stream';
import { CodedError, messageOf } from '../core/coded-error.ts';
import { chooseConnection } from '../core/membership/connection-choice.ts';
import { backoffDelayMs, CONNECT_BACKOFF } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { withDeadline } from '../runtime/deadline.ts';
import { KeyGrace } from './key-grace.ts';
import type { KeyGenerations, PeerConnection } from './peer-connection.ts';

export interface ConnectionManagerDeps {
  ownId: string;
  peerId: string;
  /** Opens a connection to the peer by whatever way there is. */
  dial(signal: AbortSignal): Promise<PeerConnection>;
  /** Opens one that no other member carries. */
  dialDirectly(signal: AbortSignal): Promise<PeerConnection>;
  /** Serves a stream that the peer opened. */
  serve(stream: Duplex): void;
  /** Another connection is to be used from now on, or none. */
  onChange(): void;
  /** Two agents with the key of the peer are up at once. @param instance the one that came second and was sent away */
  onClone(instance: string): void;
  /** The last try to connect failed. */
  onFailure(error: unknown): void;
  clock: Clock;
  random(): number;
}

/** When both come up at once, both dial: the one with the larger ID waits this long for the other's connection. */
const POLITE_WAIT_MS = 150;
/** An older connection must answer within this when the peer opened another one. */
const ALIVE_WITHIN_MS = 1_000;

/** While a third member carries the connection, the direct way is tried again this often. */
const DIRECT_AGAIN_MS = 30_000;

/** While the connection in use is by a key that was replaced, a new one is tried this often. */
const LATER_KEY_AGAIN_MS = 2_000;

/** All ways together, some of which are tried one after the other. */
const DIAL_WITHIN_MS = 30_000;

/** Any time: there is nothing to do while a direct connection is up. */
const LONG_MS = 3_600_000;

/** The connection to one peer: at most one connection in use, opened by either side, opened again when it is lost. */
export class ConnectionManager {
  readonly #deps: ConnectionManagerDeps;
  /** Oldest first; more than one only for a moment, when both sides dialled at once. */
  #open: PeerConnection[] = [];
  #current: PeerConnection | undefined;
  #wake = new AbortController();
  /** Aborted, and made anew, when another connection is to be used. */
  #changed = new AbortController();
  #dialing = new AbortController();
  readonly #waiting = new Set<(connection: PeerConnection) => void>();
  #ended = false;
  /** Connections by earlier keys than these are to go. */
  #keys: KeyGenerations = { own: 0, peer: 0 };
  #ownKeyProven = -1;
  readonly #grace: KeyGrace<PeerConnection>;

  constructor(deps: ConnectionManagerDeps) {
    this.#deps = deps;
    this.#grace = new KeyGrace(deps.clock, {
      end: (connection) => connection.close(new CodedError('Unavailable', 'it was opened by a key that was replaced')),
      onEnd: (connection, listener) => connection.onClose(listener),
    });
  }

  get current(): PeerConnection | undefined {
    return this.#current;
  }

  /** The latest generation of the own key that the peer accepted a connection by; -1 before the first one. */
  get ownKeyProven(): number {
    return this.#ownKeyProven;
  }

  /** A key of one side was replaced: connections by those of before give way to new ones, and end after a time of grace. */
  expectKeys(keys: KeyGenerations): void {
    this.#keys = keys;
    for (const connection of this.#open) if (this.#isOutdated(connection)) this.#grace.endLater(connection);
    if (this.#current !== undefined && this.#isOutdated(this.#current)) this.#wake.abort();
  }

  /** A new stream to the peer's server. Throws Unavailable. */
  open(signal: AbortSignal): Promise<Duplex> {
    if (this.#current !== undefined) return this.#current.open(signal);
    return Promise.reject(new CodedError('Unavailable', 'there is no connection to it now'));
  }

  /** The connection in use, as soon as there is one. */
  connected(signal: AbortSignal): Promise<PeerConnection> {
    if (this.#current !== undefined) return Promise.resolve(this.#current);
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(settle);
        reject(signal.reason);
      };
      const settle = (connection: PeerConnection): void => {
        signal.removeEventListener('abort', onAbort);
        resolve(connection);
      };
      this.#waiting.add(settle);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Takes over a connection that the peer opened. */
  accept(connection: PeerConnection): void {
    this.#add(connection);
    // The smaller ID's connection is the one that stays: there is no use in one of our own. The other way round it is not
    // given up, or two that do so at the same time would end with none.
    if (this.#deps.ownId > this.#deps.peerId) this.#dialing.abort(new Error('the peer was faster'));
  }

  #add(connection: PeerConnection): void {
    // It came in, or was judged, while this side was ending: nobody would serve it any more.
    if (this.#ended) {
      connection.close(new CodedError('Unavailable', 'the link was ended'));
      return;
    }
    const others = this.#open.filter((one) => !one.draining);
    const rival = others.find((one) => one.peer.instance !== connection.peer.instance);
    if (rival === undefined) this.#use(connection, others);
    else if (connection.keyGenerations.peer === rival.keyGenerations.peer) void this.#judge(rival, connection);
    else this.#preferLaterKey(rival, connection);
  }

  /** Of two processes the one that has the later key is the peer's; the other one holds what it replaced. */
  #preferLaterKey(rival: PeerConnection, connection: PeerConnection): void {
    const replaced = new CodedError('Unauthenticated', 'the peer has replaced the key of this connection');
    if (connection.keyGenerations.peer > rival.keyGenerations.peer) {
      rival.close(replaced);
      this.#add(connection);
    } else connection.close(replaced);
  }

  /**
   * Another process with the key of the peer came, while there still is a connection to an earlier one. After a restart that
   * one is dead. If it answers, there are two: a cloned machine. The one that was there first stays, or they would take turns.
   */
  async #judge(rival: PeerConnection, connection: PeerConnection): Promise<void> {
    if (await this.#answers(rival)) {
      connection.close(new CodedError('Conflict', 'another agent with the same key is connected'));
      this.#deps.onClone(connection.peer.instance);
      return;
    }
    rival.close(new CodedError('Unavailable', 'the peer started anew'));
    if (!connection.closed) this.#add(connection);
  }

  #use(connection: PeerConnection, others: PeerConnection[]): void {
    this.#open.push(connection);
    this.#ownKeyProven = Math.max(this.#ownKeyProven, connection.keyGenerations.own);
    if (this.#isOutdated(connection)) this.#grace.endLater(connection);
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

  /** Gives up the connection in use. @param reason for people */
  reconnect(reason: string): void {
    this.#current?.close(new CodedError('Unavailable', reason));
  }

  /** Gives up the connection in use if it does not answer. */
  async probe(): Promise<void> {
    if (this.#current !== undefined) await this.#probe(this.#current);
  }

  /** Keeps a connection up until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { ownId, peerId, random, clock, dial } = this.#deps;
    if (ownId > peerId) await this.#pause(POLITE_WAIT_MS, signal);
    for (let failures = 0; !signal.aborted; ) {
      if (this.#current !== undefined) {
        failures = 0;
        await this.#whileUsed(this.#current, signal);
        if (this.#current === undefined && ownId > peerId) await this.#pause(POLITE_WAIT_MS, signal);
        continue;
      }
      try {
        this.#dialing = new AbortController();
        const until = AbortSignal.any([signal, this.#dialing.signal]);
        this.#add(await withDeadline(clock, { ms: DIAL_WITHIN_MS, signal: until }, (within) => dial(within)));
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        if (this.#current === undefined) this.#deps.onFailure(error);
      }
      if (this.#current === undefined)
        await this.#pause(backoffDelayMs(CONNECT_BACKOFF, Math.max(1, failures), random()), signal);
    }
    this.#ended = true;
    for (const connection of this.#open) connection.close(new CodedError('Unavailable', 'the link was ended'));
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    if (this.#current !== undefined) return;
    await this.#deps.clock.sleep(ms, AbortSignal.any([signal, this.#wake.signal])).catch(() => {});
  }

  /**
   * Until the connection is lost; one that a third member carries gives way to a direct one as soon as that can be had, one by
   * a key that was replaced to any by the next key.
   */
  async #whileUsed(connection: PeerConnection, signal: AbortSignal): Promise<void> {
    const { clock, random, dial, dialDirectly } = this.#deps;
    // Another one is in use, whether or not this one stays open.
    const used = AbortSignal.any([signal, this.#changed.signal]);
    while (!used.aborted) {
      this.#wake = new AbortController();
      const until = AbortSignal.any([used, this.#wake.signal]);
      const again = connection.via === undefined ? LONG_MS : DIRECT_AGAIN_MS * (0.75 + random() / 2);
      await clock.sleep(this.#isOutdated(connection) ? LATER_KEY_AGAIN_MS : again, until).catch(() => {});
      const isOutdated = this.#isOutdated(connection);
      if (used.aborted || (connection.via === undefined && !isOutdated)) continue;
      const way = isOutdated ? dial : dialDirectly;
      await withDeadline(clock, { ms: DIAL_WITHIN_MS, signal: used }, (within) => way(within)).then(
        (other) => this.#add(other),
        () => {},
      );
    }
  }

  #isOutdated({ keyGenerations }: PeerConnection): boolean {
    return keyGenerations.own < this.#keys.own || keyGenerations.peer < this.#keys.peer;
  }

  async #probe(connection: PeerConnection): Promise<void> {
    if (!(await this.#answers(connection))) connection.close(new CodedError('Unavailable', 'no answer in time'));
  }

  async #answers(connection: PeerConnection): Promise<boolean> {
    try {
      await withDeadline(this.#deps.clock, { ms: ALIVE_WITHIN_MS }, (signal) => connection.ping(signal));
      return true;
    } catch {
      return false;
    }
  }

  #onClosed(connection: PeerConnection, reason: unknown): void {
    this.#open = this.#open.filter((one) => one !== connection);
    this.#choose();
    if (this.#current === undefined && reason !== undefined) this.#deps.onFailure(new Error(messageOf(reason)));
  }

  #choose(): void {
    const { ownId, peerId } = this.#deps;
    const { use, drop, outdated } = chooseConnection(ownId, peerId, this.#open);
    const changed = use !== this.#current;
    this.#current = use;
    for (const connection of drop) connection.drain();
    for (const connection of outdated) this.#grace.endLater(connection);
    if (!changed) return;
    this.#wake.abort();
    this.#changed.abort();
    this.#changed = new AbortController();
    this.#deps.onChange();
    if (use === undefined) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const settle of waiting) settle(use);
  }
}
