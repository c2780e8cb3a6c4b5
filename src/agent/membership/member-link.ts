import type { Duplex, Readable } from 'node:stream';
import { CodedError } from '../../core/coded-error.ts';
import type { EndpointReach } from '../../core/diagnosis/diagnosis.ts';
import type { ConfigObject, Pod } from '../../core/kube-objects.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import type { PeerContactState } from '../../core/membership/peer-state.ts';
import type { Offer } from '../../core/offer/offer.ts';
import type { PodSubmission, PodVerdict, RemotePod } from '../../core/offloading/pod-submission.ts';
import type { RemotePodStats } from '../../core/pod-stats/summary.ts';
import type { SentService, ServiceProblem } from '../../core/service/sent-service.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import { ENDPOINTS, STREAM_PROTOCOL, streamPath, toPath } from '../../wire/endpoints.ts';
import { parseEndpointReach } from '../../wire/parse-endpoint-reach.ts';
import { parseServiceProblems } from '../../wire/parse-service-problems.ts';
import { PeerClient, readText, toPeerError } from '../../wire/peer-client.ts';
import type { PeerConnection } from '../../wire/peer-connection.ts';
import { parseRemoteStats } from '../../wire/remote-stats.ts';
import type { SessionMessage } from '../../wire/session-message.ts';
import type { PeerChange, PeerLink, UpgradeRequest, UpgradeResponse } from '../ports.ts';
import { ContactWatch } from './contact-watch.ts';
import { dialEitherWay } from './dial-either-way.ts';
import { PeerLine } from './peer-line.ts';
import { openPodUpgrade } from './pod-upgrade.ts';
import { type SessionDeps, SessionLoop } from './session-loop.ts';
import { tryEndpoints } from './try-endpoints.ts';

export interface MemberLinkDeps extends SessionDeps {
  ownId: string;
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
  /** A session was opened: what the peer should know can be told now. */
  onOpen(): void;
  /** The way to the peer is another one: direct, through a third, or as good as gone. */
  onWay(): void;
  /** The peer told whom it reaches. */
  onReach(): void;
}

/** A submission runs through the provider's API server; other calls are quick. */
const CALL_TIMEOUT_MS = 15_000;
const SUBMIT_TIMEOUT_MS = 30_000;
const MEASURE_EVERY_MS = 5_000;
const MEASURE_WITHIN_MS = 3_000;
/** A clone tries to connect at least every five seconds or so. */
const CLONE_FORGOTTEN_MS = 60_000;

/** The link to one peer: its session, its state by own contact, and calls to it. */
export class MemberLink implements PeerLink {
  /** The name of the Peer object: unique here and never changing, other than the member's own name. */
  readonly name: string;
  readonly #deps: MemberLinkDeps;
  readonly #client: PeerClient;
  readonly #line: PeerLine;
  readonly #session: SessionLoop;
  readonly #pods = new Map<string, RemotePod>();
  readonly #contact: ContactWatch;
  #record: PeerRecord;
  /** Where it was reached last. */
  #endpoint: string | undefined;
  #offer: Offer | undefined;
  #hasAllPods = false;
  #clonedAt: number | undefined;
  #reach: ReadonlyMap<string, number> = new Map();
  /** How far its clock is ahead of ours. */
  clockSkewMs: number | undefined;

  constructor(name: string, record: PeerRecord, deps: MemberLinkDeps) {
    this.name = name;
    this.#record = record;
    this.#deps = deps;
    this.#line = this.#createLine();
    this.#client = new PeerClient(
      () => this.name,
      (signal) => this.#line.open(signal),
    );
    this.#contact = new ContactWatch(deps.clock.monotonic());
    this.#session = new SessionLoop(this.#client, deps, {
      connected: (signal) => this.#line.connected(signal),
      onMessage: (message) => this.#onMessage(message),
      onClosed: (error) => this.#onClosed(error),
      onStuck: () => void this.#line.probe(),
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

  get podsSynced(): boolean {
    return this.#hasAllPods && this.state === 'Connected';
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
    return parseEndpointReach(await this.#call(ENDPOINTS.reach.method, ENDPOINTS.reach.path, undefined, signal));
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
  }

  /** Time passed. @param forgiveMs time during which this process itself stood still, which is no silence of the peer */
  tick(now: number, forgiveMs: number): void {
    this.#contact.forgive(forgiveMs);
    this.#changed(this.#contact.refresh(now));
    // One that no message came on yet is watched by the session.
    if (this.#contact.isSilent(now) && this.#contact.open) this.#line.reconnect();
  }

  /** There is reason to think that the peer can be reached now. */
  hurry(): void {
    this.#line.hurry();
  }

  async pushRoster(records: PeerRecord[]): Promise<void> {
    await this.#call(ENDPOINTS.roster.method, ENDPOINTS.roster.path, { records });
  }

  async submitPod(uid: string, submission: PodSubmission, signal?: AbortSignal): Promise<PodVerdict> {
    const { method, path } = ENDPOINTS.submitPod;
    return (await this.#call(method, toPath(path, { uid }), submission, signal, SUBMIT_TIMEOUT_MS)) as PodVerdict;
  }

  async updatePod(uid: string, pod: Pod, signal?: AbortSignal): Promise<void> {
    const { method, path } = ENDPOINTS.updatePod;
    await this.#call(method, toPath(path, { uid }), { pod }, signal, SUBMIT_TIMEOUT_MS);
  }

  async deletePod(uid: string, gracePeriodSeconds: number | undefined, signal?: AbortSignal): Promise<void> {
    const { method, path } = ENDPOINTS.deletePod;
    const query = gracePeriodSeconds === undefined ? '' : `?gracePeriodSeconds=${gracePeriodSeconds}`;
    await this.#call(method, `${toPath(path, { uid })}${query}`, undefined, signal);
  }

  async updateObjects(namespace: string, objects: ConfigObject[], signal?: AbortSignal): Promise<void> {
    const { method, path } = ENDPOINTS.updateObjects;
    await this.#call(method, toPath(path, { namespace }), { objects }, signal);
  }

  async updateServices(namespace: string, services: SentService[], signal?: AbortSignal): Promise<ServiceProblem[]> {
    const { method, path } = ENDPOINTS.updateServices;
    const answer = await this.#call(method, toPath(path, { namespace }), { services }, signal);
    return parseServiceProblems(answer);
  }

  async readStats(options: { onlyCpuAndMemory: boolean }, signal?: AbortSignal): Promise<RemotePodStats[]> {
    const { method, path } = ENDPOINTS.stats;
    const answer = await this.#call(
      method,
      `${path}?only_cpu_and_memory=${options.onlyCpuAndMemory}`,
      undefined,
      signal,
    );
    return parseRemoteStats(answer);
  }

  async streamLogs(uid: string, container: string, query: URLSearchParams, signal: AbortSignal): Promise<Readable> {
    this.#mustBeReachable();
    const { method, path } = ENDPOINTS.logs;
    return this.#client.open({ method, path: `${toPath(path, { uid, container })}?${query}`, signal });
  }

  openStream(name: string, query: URLSearchParams, signal: AbortSignal): Promise<Duplex> {
    return this.#openStream(this.#client, streamPath(name, query), signal);
  }

  openDirectStream(name: string, query: URLSearchParams, signal: AbortSignal): Promise<Duplex> {
    const endpoint = this.#endpoint ?? this.#record.endpoints[0] ?? '';
    const dial = (within: AbortSignal): Promise<Duplex> => this.#deps.dialAlone(this.#record, endpoint, within);
    return this.#openStream(new PeerClient(() => this.name, dial), streamPath(name, query), signal);
  }

  async #openStream(client: PeerClient, path: string, signal: AbortSignal): Promise<Duplex> {
    this.#mustBeReachable();
    const answer = await client.upgrade({
      method: 'GET',
      path,
      headers: { connection: 'upgrade', upgrade: STREAM_PROTOCOL },
      signal,
    });
    if (answer.kind === 'answered') throw toPeerError(answer.message.statusCode ?? 500, await readText(answer.message));
    if (answer.head.length > 0) answer.socket.unshift(answer.head);
    return answer.socket;
  }

  async upgrade(uid: string, request: UpgradeRequest): Promise<UpgradeResponse> {
    this.#mustBeReachable();
    return openPodUpgrade(this.#client, uid, request);
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
        this.#contact.measured(
          await withDeadline(clock, { ms: MEASURE_WITHIN_MS, signal }, (within) => connection.ping(within)),
        );
        if (first) this.#deps.onWay();
      } catch {
        // No answer: the session will tell.
      }
      await clock.sleep(MEASURE_EVERY_MS, signal).catch(() => {});
    }
  }

  async #call(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<unknown> {
    this.#mustBeReachable();
    const deadline = AbortSignal.timeout(timeoutMs);
    return this.#client.call({
      method,
      path,
      body,
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    });
  }

  #mustBeReachable(): void {
    if (this.state !== 'Unreachable') return;
    throw new CodedError('Unavailable', `${this.name} is unreachable: ${this.problem ?? 'no heartbeat arrives'}`);
  }

  #onMessage(message: SessionMessage): void {
    const now = this.#deps.clock.monotonic();
    if (message.type === 'bye') {
      this.#contact.goodbye(now);
      return;
    }
    if (message.type === 'heartbeat' && message.now !== undefined)
      this.clockSkewMs = message.now - this.#deps.clock.now();
    const opened = !this.#contact.open;
    this.#changed(this.#contact.heard(now));
    this.#take(message);
    if (opened) this.#deps.onOpen();
  }

  #take(message: SessionMessage): void {
    const { onChange, onRecords } = this.#deps;
    switch (message.type) {
      case 'roster':
        onRecords(message.records);
        break;
      case 'reach':
        this.#reach = new Map(Object.entries(message.members));
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

  #onClosed(error: unknown): void {
    this.#hasAllPods = false;
    this.#changed(this.#contact.closed(error, this.#deps.clock.monotonic()));
  }

  #changed(changed: boolean): void {
    if (!changed) return;
    this.#deps.onChange('state');
    this.#deps.onWay();
  }
}
