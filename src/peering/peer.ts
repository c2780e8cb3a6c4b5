import type { Duplex, Readable } from 'node:stream';
import Type from 'typebox';
import { CodedError } from '../core/coded-error.ts';
import type { EndpointReach } from '../core/diagnosis/diagnosis.ts';
import type { Offer } from '../core/exchange/offer.ts';
import type { RemotePod } from '../core/exchange/pod-submission.ts';
import type { PeerContactState } from '../core/membership/peer-state.ts';
import type { Clock } from '../runtime/clock.ts';
import { withDeadline } from '../runtime/deadline.ts';
import { toTarget } from '../wire/check.ts';
import type { ArgumentsOf, CallDefinition, QueryOf, ReplyOf } from '../wire/definition.ts';
import { ENDPOINTS, STREAM_PATH, STREAM_PROTOCOL, STREAMS } from '../wire/endpoints.ts';
import { PeerClient } from './peer-client.ts';
import type { PeerWay } from './peer-way.ts';
import type { UpgradeRequest, UpgradeResponse } from './pod-stream.ts';
import { openPodStream } from './pod-upgrade.ts';
import type { PeerLink, PeerStatus } from './ports.ts';
import type { BytesCall, Calls, JsonCall, StreamName } from './serving.ts';

/** What a peer told of itself in this process. */
export interface Told {
  /** The last offer; kept while the peer is unreachable. */
  offer: Offer | undefined;
  pods: { readonly all: ReadonlyMap<string, RemotePod>; readonly complete: boolean };
  /** The members that it says to reach directly, with round-trip times in ms. */
  reach: ReadonlyMap<string, number>;
}

const STREAM_PARAMS = Type.Object({ name: Type.String() });

/**
 * Logs, shells and other long streams to one peer at a time. Both sides together stay below what a connection carries
 * (MAX_STREAMS in peer-connection.ts), so that calls always get through.
 */
const MAX_LONG_STREAMS = 100;
/** Of these at most for connections of other members, which this one carries to the peer: the rest is for what is its own. */
const MAX_CARRIED_STREAMS = 60;

/** One peer, as features see it: what it is asked, and what it told. */
export class Peer implements PeerLink {
  readonly id: string;
  /** The name of the Peer object: unique here and never changing, other than the member's own name. */
  readonly name: string;
  readonly #way: PeerWay;
  readonly #told: Told;
  readonly #clock: Clock;
  readonly #client: PeerClient;
  readonly #dedicated: PeerClient;
  readonly #open = { own: 0, carried: 0 };

  constructor({ id, name }: { id: string; name: string }, way: PeerWay, told: Told, clock: Clock) {
    this.id = id;
    this.name = name;
    this.#way = way;
    this.#told = told;
    this.#clock = clock;
    this.#client = new PeerClient(
      () => name,
      (signal) => way.open(signal),
    );
    this.#dedicated = new PeerClient(
      () => name,
      (signal) => way.openDedicated(signal),
    );
  }

  get state(): PeerContactState {
    return this.#way.state;
  }

  get status(): PeerStatus {
    return this.#way.status;
  }

  get offer(): Offer | undefined {
    return this.#told.offer;
  }

  get pods(): ReadonlyMap<string, RemotePod> {
    return this.#told.pods.all;
  }

  get podsSynced(): boolean {
    return this.#told.pods.complete && this.state === 'Connected';
  }

  get reach(): ReadonlyMap<string, number> {
    return this.#told.reach;
  }

  speaks(protocol: number): boolean {
    return (this.#way.protocol ?? protocol) >= protocol;
  }

  async call<Name extends JsonCall>(
    name: Name,
    asked: ArgumentsOf<Calls[Name]>,
    signal?: AbortSignal,
  ): Promise<ReplyOf<Calls[Name]>> {
    this.#mustBeReachable();
    const definition: Calls[Name] & CallDefinition = ENDPOINTS[name];
    if (!this.speaks(definition.since))
      throw new CodedError('FailedPrecondition', `${this.name} runs an older headcut, which does not know ${name}`);
    const { withinMs = 0 } = definition;
    const limits = { ms: withinMs, ...(signal === undefined ? {} : { signal }) };
    try {
      return await withDeadline(this.#clock, limits, (within) => this.#client.call(definition, asked, within));
    } catch (error) {
      // The deadline's own error knows no names.
      if (error instanceof CodedError && error.cause === undefined && error.message === 'no answer in time')
        throw new CodedError('Unavailable', `${this.name} gave no answer in time`);
      throw error;
    }
  }

  read<Name extends BytesCall>(name: Name, asked: ArgumentsOf<Calls[Name]>, signal: AbortSignal): Promise<Readable> {
    const definition: Calls[Name] & CallDefinition = ENDPOINTS[name];
    return this.#long(
      () => this.#client.open(definition, asked, signal),
      (body) => body,
    );
  }

  stream<Name extends StreamName>(
    name: Name,
    query: QueryOf<(typeof STREAMS)[Name]>,
    signal: AbortSignal,
  ): Promise<Duplex> {
    return this.#long(
      () => this.#openStream(this.#client, name, query, signal),
      (stream) => stream,
      name === 'relayed' ? 'carried' : 'own',
    );
  }

  dedicatedStream<Name extends StreamName>(
    name: Name,
    query: QueryOf<(typeof STREAMS)[Name]>,
    signal: AbortSignal,
  ): Promise<Duplex> {
    this.#mustBeReachable();
    return this.#openStream(this.#dedicated, name, query, signal);
  }

  podStream(uid: string, request: UpgradeRequest): Promise<UpgradeResponse> {
    return this.#long(
      () => openPodStream(this.#client, uid, request),
      (answer) => (answer.upgraded ? answer.socket : undefined),
    );
  }

  tryEndpoints(signal: AbortSignal): Promise<EndpointReach[]> {
    return this.#way.tryEndpoints(signal);
  }

  /** Calls then fail at once. */
  #mustBeReachable(): void {
    if (this.state !== 'Unreachable') return;
    throw new CodedError(
      'Unavailable',
      `${this.name} is unreachable: ${this.status.problem ?? 'no heartbeat arrives'}`,
    );
  }

  /** Opens a stream that may stay open. */
  async #long<T>(
    open: () => Promise<T>,
    streamOf: (opened: T) => Readable | undefined,
    whose: 'own' | 'carried' = 'own',
  ): Promise<T> {
    this.#mustBeReachable();
    if (whose === 'carried' && this.#open.carried >= MAX_CARRIED_STREAMS)
      throw new CodedError('ResourceExhausted', `this member carries too many connections to ${this.name} already`);
    if (this.#open.own + this.#open.carried >= MAX_LONG_STREAMS)
      throw new CodedError(
        'ResourceExhausted',
        `${MAX_LONG_STREAMS} logs, shells and port-forwards to ${this.name} are open already; end one of them first`,
      );
    this.#open[whose] += 1;
    const done = (): void => {
      this.#open[whose] -= 1;
    };
    try {
      const opened = await open();
      const stream = streamOf(opened);
      if (stream === undefined || stream.destroyed) done();
      else stream.once('close', done);
      return opened;
    } catch (error) {
      done();
      throw error;
    }
  }

  async #openStream(client: PeerClient, name: StreamName, query: object, signal: AbortSignal): Promise<Duplex> {
    const answer = await client.upgrade({
      method: 'GET',
      path: toTarget(
        { path: STREAM_PATH, params: STREAM_PARAMS, query: STREAMS[name].query },
        { params: { name }, query },
      ),
      headers: { connection: 'upgrade', upgrade: STREAM_PROTOCOL },
      signal,
    });
    if (answer.kind === 'answered') throw await client.refusalOf(answer.message, signal);
    if (answer.head.length > 0) answer.socket.unshift(answer.head);
    return answer.socket;
  }
}
