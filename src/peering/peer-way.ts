import type { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { CodedError } from '../core/coded-error.ts';
import type { EndpointReach } from '../core/diagnosis/diagnosis.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import type { PeerContactState } from '../core/membership/peer-state.ts';
import type { Clock } from '../runtime/clock.ts';
import { withDeadline } from '../runtime/deadline.ts';
import type { SessionMessage } from '../wire/messages.ts';
import { ConnectionManager } from './connection-manager.ts';
import { ContactWatch } from './contact-watch.ts';
import { DedicatedStreams } from './dedicated-streams.ts';
import { dialEitherWay } from './dial-either-way.ts';
import { PeerClient } from './peer-client.ts';
import type { KeyGenerations, PeerConnection } from './peer-connection.ts';
import type { PeerStatus } from './ports.ts';
import { ProofOfLife } from './proof-of-life.ts';
import { SessionReader } from './session-reader.ts';
import { tryEndpoints } from './try-endpoints.ts';

export interface PeerWayDeps {
  ownId: string;
  /** Of the peer, for people. */
  name: string;
  /** The state of the peer that a former life of this agent wrote, if any. */
  shownState: string | undefined;
  /** Opens a connection to the peer that nobody carries. @param last the endpoint that was reached last */
  dialDirectly(
    record: PeerRecord,
    last: string | undefined,
    signal: AbortSignal,
  ): Promise<{ connection: PeerConnection; endpoint: string }>;
  /** Opens a connection for one stream, to one endpoint. */
  dialDedicated(record: PeerRecord, endpoint: string, signal: AbortSignal): Promise<Duplex>;
  /** Opens a connection through a third member. */
  dialThroughOthers(record: PeerRecord, signal: AbortSignal): Promise<PeerConnection>;
  /** Serves a stream that the peer opened. */
  serve(stream: Duplex): void;
  /** The state, or what is known of the way, is another one. */
  onState(): void;
  /** The way to the peer is another one: direct, through a third, or as good as gone. */
  onWay(): void;
  /** What the peer says, but for signs of life. */
  onMessage(message: SessionMessage): void;
  /** A message was not as it should be. @param type undefined where the session ended by it */
  onMalformed(problem: string, type: string | undefined): void;
  /** The session ended: what the peer said may be out of date. */
  onSessionEnd(): void;
  /** How long (characters) a list of all pods in one line may be. */
  maxListChars(): number;
  clock: Clock;
  /** In [0, 1). */
  random(): number;
}

const MEASURE_EVERY_MS = 15_000;
const MEASURE_WITHIN_MS = 3_000;
/** A connection that answers, but on which that many sessions in a row could not be opened, is given up. */
const STUCK_SESSIONS = 3;
/** A clone tries to connect at least every five seconds or so. */
const CLONE_FORGOTTEN_MS = 60_000;

/** The way to one peer: a connection that is kept up, a session on it, and the state of the peer by own contact. */
export class PeerWay {
  readonly #deps: PeerWayDeps;
  readonly #connections: ConnectionManager;
  readonly #session: SessionReader;
  readonly #contact: ContactWatch;
  readonly #proof: ProofOfLife;
  readonly #dedicated: DedicatedStreams;
  #keys: KeyGenerations = { own: 0, peer: 0 };
  #record: PeerRecord;
  /** Where it was reached last. */
  #endpoint: string | undefined;
  #clonedAt: number | undefined;
  #clockSkewMs: number | undefined;

  constructor(record: PeerRecord, deps: PeerWayDeps) {
    this.#record = record;
    this.#deps = deps;
    const { clock, name, maxListChars, random } = deps;
    this.#connections = this.#createConnections();
    this.#dedicated = new DedicatedStreams(clock);
    this.#contact = new ContactWatch(clock.monotonic(), deps.shownState);
    this.#proof = new ProofOfLife({
      prove: async (signal) => void (await this.openDedicated(signal)).destroy(),
      onProof: () => this.#contact.proven(clock.monotonic()),
      clock,
    });
    const client = new PeerClient(
      () => name,
      (signal) => this.open(signal),
    );
    this.#session = new SessionReader(
      { client, name, maxListChars, clock, random },
      {
        connected: (signal) => this.#connections.connected(signal),
        onMessage: (message) => this.#onMessage(message),
        onMalformed: deps.onMalformed,
        onClosed: (error) => this.#onClosed(error),
        onMoved: () => this.#onMoved(),
        onStuck: (times) => this.#onStuck(times),
      },
    );
  }

  get state(): PeerContactState {
    return this.#contact.state;
  }

  /** Of the protocol that the peer speaks on the connection in use; undefined while there is none. */
  get protocol(): number | undefined {
    return this.#connections.current?.peer.protocol;
  }

  get status(): PeerStatus {
    const connection = this.#connections.current;
    const now = this.#deps.clock.monotonic();
    return {
      stateSince: this.#contact.stateSince,
      problem: this.#contact.problem(now),
      roundTripMs: this.#contact.roundTripMs,
      via: connection?.via,
      openedBy: connection === undefined ? undefined : connection.dialed ? 'here' : 'there',
      version: connection?.peer.version || undefined,
      clockSkewMs: this.#clockSkewMs,
      cloned: this.#clonedAt !== undefined && now - this.#clonedAt < CLONE_FORGOTTEN_MS,
      keyGenerations: connection?.keyGenerations,
      ownKeyProven: this.#connections.ownKeyProven,
    };
  }

  /** A new stream to the peer's server, on the connection in use. Throws Unavailable. */
  open(signal: AbortSignal): Promise<Duplex> {
    return this.#connections.open(signal);
  }

  /** A connection of its own, for one stream of much data. */
  async openDedicated(signal: AbortSignal): Promise<Duplex> {
    const endpoint = this.#endpoint ?? this.#record.endpoints[0] ?? '';
    return this.#dedicated.add(await this.#deps.dialDedicated(this.#record, endpoint, signal));
  }

  /** Whether each of its endpoints shows its key to a connection from here. */
  tryEndpoints(signal: AbortSignal): Promise<EndpointReach[]> {
    return tryEndpoints(this.#record, (endpoint) => this.#deps.dialDedicated(this.#record, endpoint, signal));
  }

  /** Keeps a connection and a session open until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#connections.run(signal), this.#session.run(signal), this.#measure(signal)]);
  }

  /** The peer opened a connection to us. */
  accept(connection: PeerConnection): void {
    this.#connections.accept(connection);
  }

  update(record: PeerRecord): void {
    this.#record = record;
  }

  /** A key of one side was replaced. */
  expectKeys(keys: KeyGenerations): void {
    if (isDeepStrictEqual(keys, this.#keys)) return;
    this.#keys = keys;
    this.#connections.expectKeys(keys);
    this.#dedicated.endSoon();
  }

  /** Time passed. @param forgiveMs time during which this process itself stood still, which is no silence of the peer */
  tick(now: number, forgiveMs: number): void {
    this.#contact.forgive(forgiveMs);
    this.#changed(this.#contact.refresh(now));
    if (this.#contact.isQuiet(now)) this.#proof.seek(now);
    // One that no message came on yet is watched by the session.
    if (this.#contact.isSilent(now) && this.#contact.open) this.#connections.reconnect('the peer sent no heartbeat');
  }

  /** There is reason to think that the peer can be reached now. */
  hurry(): void {
    this.#connections.hurry();
  }

  /** Has the peer say everything again. */
  restartSession(): void {
    this.#session.restart();
  }

  #createConnections(): ConnectionManager {
    const { ownId, serve, clock, random } = this.#deps;
    return new ConnectionManager({
      ownId,
      peerId: this.#record.id,
      dial: (signal) => this.#dial(signal),
      dialDirectly: (signal) => this.#dialDirectly(signal),
      serve,
      onChange: () => {
        this.#session.restart();
        // The way is part of what is told about the state.
        this.#deps.onState();
        this.#deps.onWay();
      },
      onClone: () => {
        this.#clonedAt = clock.monotonic();
        this.#deps.onState();
      },
      onFailure: (error) => this.#onClosed(error),
      clock,
      random,
    });
  }

  async #dialDirectly(signal: AbortSignal): Promise<PeerConnection> {
    const { connection, endpoint } = await this.#deps.dialDirectly(this.#record, this.#endpoint, signal);
    this.#endpoint = endpoint;
    return connection;
  }

  #dial(signal: AbortSignal): Promise<PeerConnection> {
    return dialEitherWay(
      (within) => this.#dialDirectly(within),
      (within) => this.#deps.dialThroughOthers(this.#record, within),
      this.#deps.clock,
      signal,
    );
  }

  /** Measures the way, as long as there is one. */
  async #measure(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (!signal.aborted) {
      try {
        const connection = await this.#connections.connected(signal);
        const first = this.#contact.roundTripMs === undefined;
        const sentAt = clock.monotonic();
        await withDeadline(clock, { ms: MEASURE_WITHIN_MS, signal }, (within) => connection.ping(within));
        this.#contact.measured(clock.monotonic() - sentAt);
        if (first) this.#deps.onWay();
      } catch {
        // No answer: the session will tell.
      }
      await clock.sleep(MEASURE_EVERY_MS, signal).catch(() => {});
    }
  }

  #onStuck(times: number): void {
    if (times < STUCK_SESSIONS) void this.#connections.probe();
    else this.#connections.reconnect('it answers, but opens no session');
  }

  #onMessage(message: SessionMessage): void {
    const now = this.#deps.clock.monotonic();
    if (message.type === 'bye') {
      this.#contact.goodbye(now);
      return;
    }
    if (message.type === 'heartbeat' && message.now !== undefined)
      this.#clockSkewMs = message.now - this.#deps.clock.now();
    this.#changed(this.#contact.heard(now));
    this.#proof.end();
    this.#deps.onMessage(message);
  }

  #onClosed(error: unknown): void {
    this.#deps.onSessionEnd();
    this.#changed(this.#contact.closed(error, this.#deps.clock.monotonic()));
  }

  /** The peer was heard on the one connection and goes on on the other: no time without contact, unless there is no other. */
  #onMoved(): void {
    if (this.#connections.current === undefined)
      this.#onClosed(new CodedError('Unavailable', 'the connection was closed'));
    this.#deps.onSessionEnd();
  }

  #changed(changed: boolean): void {
    if (!changed) return;
    this.#deps.onState();
    this.#deps.onWay();
  }
}
