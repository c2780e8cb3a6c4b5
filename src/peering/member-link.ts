import type { Duplex } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { CodedError } from '../core/coded-error.ts';
import type { EndpointReach } from '../core/diagnosis/diagnosis.ts';
import { withoutFencing } from '../core/fencing/fencing-rule.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import type { PeerContactState } from '../core/membership/peer-state.ts';
import type { Offer } from '../core/offer/offer.ts';
import type { PodSubmission, PodVerdict, RemotePod } from '../core/offloading/pod-submission.ts';
import { withDeadline } from '../runtime/deadline.ts';
import { ENDPOINTS, FENCING_PROTOCOL, NAMED_LEASE_PROTOCOL } from '../wire/endpoints.ts';
import { parseEndpointReach } from '../wire/parse-endpoint-reach.ts';
import type { SessionMessage } from '../wire/session-message.ts';
import { ContactWatch } from './contact-watch.ts';
import { dialEitherWay } from './dial-either-way.ts';
import { LoneStreams } from './lone-streams.ts';
import { PeerCalls } from './peer-calls.ts';
import type { KeyGenerations, PeerConnection } from './peer-connection.ts';
import { PeerLine } from './peer-line.ts';
import type { PeerChange, PeerLink } from './ports.ts';
import { ProofOfLife } from './proof-of-life.ts';
import { type SessionDeps, SessionLoop } from './session-loop.ts';
import { tryEndpoints } from './try-endpoints.ts';

export interface MemberLinkDeps extends SessionDeps {
  ownId: string;
  /** The state of the peer that a former life of this agent wrote, if any. */
  shownState: string | undefined;
  /** Opens a connection to the peer that nobody carries. @param last the endpoint that was reached last */
  dialDirectly(
    record: PeerRecord,
    last: string | undefined,
    signal: AbortSignal,
  ): Promise<{ connection: PeerConnection; endpoint: string }>;
  /** Opens a connection for one stream, to one endpoint. */
  dialAlone(record: PeerRecord, endpoint: string, signal: AbortSignal): Promise<Duplex>;
  /** Opens a connection through a third member. */
  dialThroughOthers(record: PeerRecord, signal: AbortSignal): Promise<PeerConnection>;
  /** Serves a stream that the peer opened. */
  serve(stream: Duplex): void;
  onChange(change: PeerChange): void;
  onRecords(records: PeerRecord[]): void;
  /** The peer said the digest of its roster. */
  onDigest(digest: string): void;
  /** The way to the peer is another one: direct, through a third, or as good as gone. */
  onWay(): void;
  /** The peer told whom it reaches. */
  onReach(): void;
}

/** With itself, as many as members can know. */
const MAX_REACHED = 500;

const MEASURE_EVERY_MS = 15_000;
const MEASURE_WITHIN_MS = 3_000;
/** A connection that answers, but on which that many sessions in a row could not be opened, is given up. */
const STUCK_SESSIONS = 3;
/** A clone tries to connect at least every five seconds or so. */
const CLONE_FORGOTTEN_MS = 60_000;

/** The link to one peer: its session, its state by own contact, and calls to it. */
export class MemberLink extends PeerCalls implements PeerLink {
  readonly #deps: MemberLinkDeps;
  readonly #line: PeerLine;
  readonly #session: SessionLoop;
  readonly #pods = new Map<string, RemotePod>();
  readonly #contact: ContactWatch;
  readonly #proof: ProofOfLife;
  readonly #alone: LoneStreams;
  #keys: KeyGenerations = { own: 0, peer: 0 };
  #record: PeerRecord;
  /** Where it was reached last. */
  #endpoint: string | undefined;
  #offer: Offer | undefined;
  #hasAllPods = false;
  #clonedAt: number | undefined;
  #reach = new Map<string, number>();
  /** Why its stored record cannot be used: until there is another one nothing connects, and nobody is told of it. */
  unusable: string | undefined;
  /** How far its clock is ahead of ours. */
  clockSkewMs: number | undefined;

  constructor(name: string, record: PeerRecord, deps: MemberLinkDeps) {
    super(
      name,
      {
        open: (signal) => this.#line.open(signal),
        openAlone: (signal) => this.#connectAlone(signal),
      },
      deps.clock,
    );
    this.#record = record;
    this.#deps = deps;
    this.#line = this.#createLine();
    this.#alone = new LoneStreams(deps.clock);
    this.#contact = new ContactWatch(deps.clock.monotonic(), deps.shownState);
    this.#proof = new ProofOfLife({
      prove: async (signal) => void (await this.#connectAlone(signal)).destroy(),
      onProof: () => this.#contact.proven(deps.clock.monotonic()),
      clock: deps.clock,
    });
    this.#session = new SessionLoop(this.client, deps, {
      connected: (signal) => this.#line.connected(signal),
      onMessage: (message) => this.#onMessage(message),
      onClosed: (error) => this.#onClosed(error),
      onMoved: () => this.#onMoved(),
      onStuck: (times) => this.#onStuck(times),
    });
  }

  get id(): string {
    return this.#record.id;
  }

  get state(): PeerContactState {
    return this.#contact.state;
  }

  /** Monotonic ms. */
  get stateSince(): number {
    return this.#contact.stateSince;
  }

  get roundTripMs(): number | undefined {
    return this.#contact.roundTripMs;
  }

  /** ID of the member that carries the connection in use; undefined when it is direct, or when there is none. */
  get via(): string | undefined {
    return this.connection?.via;
  }

  /** Of the peer's agent; undefined while there is no connection, or where it did not say. */
  get version(): string | undefined {
    return this.connection?.peer.version || undefined;
  }

  /** A second agent with the peer's key came lately; that one tries again and again, as long as there is one. */
  get cloned(): boolean {
    return this.#clonedAt !== undefined && this.#deps.clock.monotonic() - this.#clonedAt < CLONE_FORGOTTEN_MS;
  }

  /** The members that the peer says to reach directly, with round-trip times in ms. */
  get reach(): ReadonlyMap<string, number> {
    return this.#reach;
  }

  get offer(): Offer | undefined {
    return this.#offer;
  }

  get pods(): ReadonlyMap<string, RemotePod> {
    return this.#pods;
  }

  /** A peer that would overlook that a pod is to be fenced does not get it. */
  override submitPod(uid: string, submission: PodSubmission, signal?: AbortSignal): Promise<PodVerdict> {
    return submission.fencing !== undefined && !this.#speaks(FENCING_PROTOCOL)
      ? Promise.resolve(withoutFencing(this.name))
      : super.submitPod(uid, submission, signal);
  }

  override renewLease(pods: readonly string[], signal: AbortSignal): Promise<string[]> {
    return super.renewLease(this.#speaks(NAMED_LEASE_PROTOCOL) ? pods : undefined, signal);
  }

  #speaks(protocol: number): boolean {
    return (this.connection?.peer.protocol ?? protocol) >= protocol;
  }

  get podsSynced(): boolean {
    return this.#hasAllPods && this.state === 'Connected';
  }

  /** The latest generation of the own key that the peer accepted; -1 when that is not known in this life of the agent. */
  get ownKeyProven(): number {
    return this.#line.ownKeyProven;
  }

  /** A key of one side was replaced. */
  expectKeys(keys: KeyGenerations): void {
    if (isDeepStrictEqual(keys, this.#keys)) return;
    this.#keys = keys;
    this.#line.expectKeys(keys);
    this.#alone.endSoon();
  }

  /** Why the peer is not connected, for people. */
  get problem(): string | undefined {
    return this.#contact.problem(this.#deps.clock.monotonic());
  }

  /** The connection in use. */
  get connection(): PeerConnection | undefined {
    return this.#line.current;
  }

  /** Whether each of its endpoints shows its key to a connection from here. */
  tryEndpoints(signal: AbortSignal): Promise<EndpointReach[]> {
    return tryEndpoints(this.#record, (endpoint) => this.#deps.dialAlone(this.#record, endpoint, signal));
  }

  /** How the peer reaches us. */
  async askReach(signal: AbortSignal): Promise<EndpointReach[]> {
    return parseEndpointReach(await this.call(ENDPOINTS.reach.method, ENDPOINTS.reach.path, undefined, signal));
  }

  /** Keeps a connection and a session open until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#line.run(signal), this.#session.run(signal), this.#measure(signal)]);
  }

  /** The peer opened a connection to us. */
  accept(connection: PeerConnection): void {
    this.#line.accept(connection);
  }

  update(record: PeerRecord): void {
    this.#record = record;
    this.unusable = undefined;
  }

  /** Time passed. @param forgiveMs time during which this process itself stood still, which is no silence of the peer */
  tick(now: number, forgiveMs: number): void {
    this.#contact.forgive(forgiveMs);
    this.#changed(this.#contact.refresh(now));
    if (this.#contact.isQuiet(now)) this.#proof.seek(now);
    // One that no message came on yet is watched by the session.
    if (this.#contact.isSilent(now) && this.#contact.open) this.#line.reconnect('the peer sent no heartbeat');
  }

  /** There is reason to think that the peer can be reached now. */
  hurry(): void {
    this.#line.hurry();
  }

  #createLine(): PeerLine {
    const { ownId, serve, clock, random } = this.#deps;
    return new PeerLine({
      ownId,
      peerId: this.#record.id,
      dial: (signal) => this.#dial(signal),
      dialDirectly: (signal) => this.#dialDirectly(signal),
      serve,
      onChange: () => {
        this.#session.restart();
        // The way is part of what is told about the state.
        this.#deps.onChange('state');
        this.#deps.onWay();
      },
      onClone: () => {
        this.#clonedAt = clock.monotonic();
        this.#deps.onChange('state');
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

  async #connectAlone(signal: AbortSignal): Promise<Duplex> {
    const endpoint = this.#endpoint ?? this.#record.endpoints[0] ?? '';
    return this.#alone.add(await this.#deps.dialAlone(this.#record, endpoint, signal));
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
        const connection = await this.#line.connected(signal);
        const first = this.roundTripMs === undefined;
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

  protected override mustBeReachable(): void {
    if (this.state !== 'Unreachable') return;
    throw new CodedError('Unavailable', `${this.name} is unreachable: ${this.problem ?? 'no heartbeat arrives'}`);
  }

  #onStuck(times: number): void {
    if (times < STUCK_SESSIONS) void this.#line.probe();
    else this.#line.reconnect('it answers, but opens no session');
  }

  #onMessage(message: SessionMessage): void {
    const now = this.#deps.clock.monotonic();
    if (message.type === 'bye') {
      this.#contact.goodbye(now);
      return;
    }
    if (message.type === 'heartbeat' && message.now !== undefined)
      this.clockSkewMs = message.now - this.#deps.clock.now();
    this.#changed(this.#contact.heard(now));
    this.#proof.end();
    this.#take(message);
  }

  #take(message: SessionMessage): void {
    const { onChange, onRecords, onDigest } = this.#deps;
    switch (message.type) {
      case 'hello':
        // It says again whom it reaches, if anybody.
        this.#reach.clear();
        break;
      case 'roster':
        onRecords(message.records);
        break;
      case 'roster-digest':
        onDigest(message.digest);
        break;
      case 'reach':
        this.#reach = new Map(Object.entries(message.members));
        this.#deps.onReach();
        break;
      case 'reach-change':
        this.#changeReach(message);
        this.#deps.onReach();
        break;
      case 'offer':
        this.#offer = message.offer;
        onChange('offer');
        break;
      case 'pods':
        this.#pods.clear();
        for (const pod of message.pods) this.#pods.set(pod.uid, pod);
        this.#hasAllPods = true;
        onChange('pods');
        break;
      case 'pod':
        this.#pods.set(message.pod.uid, message.pod);
        onChange({ podUid: message.pod.uid });
        break;
      case 'pod-gone':
        this.#pods.delete(message.uid);
        onChange({ podUid: message.uid });
        break;
      default:
        break;
    }
  }

  #changeReach({ reached, lost }: { reached: Record<string, number>; lost: string[] }): void {
    for (const id of lost) this.#reach.delete(id);
    // Changes add up: as many as one message may name, and no more.
    for (const [id, ms] of Object.entries(reached)) if (this.#reach.size < MAX_REACHED) this.#reach.set(id, ms);
  }

  #onClosed(error: unknown): void {
    this.#hasAllPods = false;
    this.#changed(this.#contact.closed(error, this.#deps.clock.monotonic()));
  }

  /** The peer was heard on the one connection and goes on on the other: no time without contact, unless there is no other. */
  #onMoved(): void {
    if (this.#line.current === undefined) this.#onClosed(new CodedError('Unavailable', 'the connection was closed'));
    this.#hasAllPods = false;
  }

  #changed(changed: boolean): void {
    if (!changed) return;
    this.#deps.onChange('state');
    this.#deps.onWay();
  }
}
