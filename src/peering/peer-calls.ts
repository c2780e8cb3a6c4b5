import type { Duplex, Readable } from 'node:stream';
import { CodedError } from '../core/coded-error.ts';
import type { ConfigObject, Pod } from '../core/kube-objects.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import type { RosterVersions } from '../core/membership/roster-digest.ts';
import type { PodSubmission, PodVerdict } from '../core/offloading/pod-submission.ts';
import type { RemotePodStats } from '../core/pod-stats/summary.ts';
import type { ObjectReference } from '../core/reflection/references.ts';
import type { SentService, ServiceProblem } from '../core/service/sent-service.ts';
import type { Clock } from '../runtime/clock.ts';
import { withDeadline } from '../runtime/deadline.ts';
import { ENDPOINTS, STREAM_PROTOCOL, streamPath, toPath } from '../wire/endpoints.ts';
import { parseServiceProblems } from '../wire/parse-service-problems.ts';
import { parseRemoteStats } from '../wire/remote-stats.ts';
import { parseRosterDifference, type RosterDifference } from '../wire/roster-difference.ts';
import { PeerClient, readText, toPeerError } from './peer-client.ts';
import { openPodUpgrade } from './pod-upgrade.ts';
import type { UpgradeRequest, UpgradeResponse } from './ports.ts';

/** A submission runs through the provider's API server; other calls are quick. */
const CALL_TIMEOUT_MS = 15_000;
const SUBMIT_TIMEOUT_MS = 30_000;
/**
 * Logs, shells and other long streams to one peer at a time. Both sides together stay below what a connection carries
 * (MAX_STREAMS in peer-connection.ts), so that calls always get through.
 */
const MAX_LONG_STREAMS = 100;

type OpenStream = (signal: AbortSignal) => Promise<Duplex>;

/** The calls of the wire protocol to one peer. */
export abstract class PeerCalls {
  /** The name of the Peer object: unique here and never changing, other than the member's own name. */
  readonly name: string;
  protected readonly client: PeerClient;
  readonly #direct: PeerClient;
  readonly #clock: Clock;
  #longStreams = 0;

  /**
   * @param ways `open` gives a stream on the connection in use, `openAlone` a connection of its own
   */
  constructor(name: string, { open, openAlone }: { open: OpenStream; openAlone: OpenStream }, clock: Clock) {
    this.name = name;
    this.#clock = clock;
    this.client = new PeerClient(() => name, open);
    this.#direct = new PeerClient(() => name, openAlone);
  }

  /** Throws Unavailable if the peer is unreachable: calls then fail at once. */
  protected abstract mustBeReachable(): void;

  async pushRoster(records: PeerRecord[]): Promise<void> {
    await this.call(ENDPOINTS.roster.method, ENDPOINTS.roster.path, { records });
  }

  async rosterDifference(versions: RosterVersions, signal: AbortSignal): Promise<RosterDifference> {
    const { method, path } = ENDPOINTS.rosterDifference;
    return parseRosterDifference(await this.call(method, path, { versions }, signal));
  }

  async submitPod(uid: string, submission: PodSubmission, signal?: AbortSignal): Promise<PodVerdict> {
    const { method, path } = ENDPOINTS.submitPod;
    return (await this.call(method, toPath(path, { uid }), submission, signal, SUBMIT_TIMEOUT_MS)) as PodVerdict;
  }

  async updatePod(uid: string, pod: Pod, signal?: AbortSignal): Promise<void> {
    const { method, path } = ENDPOINTS.updatePod;
    await this.call(method, toPath(path, { uid }), { pod }, signal, SUBMIT_TIMEOUT_MS);
  }

  async deletePod(uid: string, gracePeriodSeconds: number | undefined, signal?: AbortSignal): Promise<void> {
    const { method, path } = ENDPOINTS.deletePod;
    const query = gracePeriodSeconds === undefined ? '' : `?gracePeriodSeconds=${gracePeriodSeconds}`;
    await this.call(method, `${toPath(path, { uid })}${query}`, undefined, signal);
  }

  async updateObjects(
    namespace: string,
    objects: ConfigObject[],
    gone: readonly ObjectReference[] = [],
    signal?: AbortSignal,
  ): Promise<void> {
    const { method, path } = ENDPOINTS.updateObjects;
    const body = gone.length === 0 ? { objects } : { objects, gone };
    await this.call(method, toPath(path, { namespace }), body, signal);
  }

  async updateServices(namespace: string, services: SentService[], signal?: AbortSignal): Promise<ServiceProblem[]> {
    const { method, path } = ENDPOINTS.updateServices;
    const answer = await this.call(method, toPath(path, { namespace }), { services }, signal);
    return parseServiceProblems(answer);
  }

  async renewLease(pods: readonly string[] | undefined, signal: AbortSignal): Promise<string[]> {
    const { method, path } = ENDPOINTS.lease;
    const { ended } = (await this.call(method, path, pods && { pods }, signal)) as { ended?: unknown };
    return Array.isArray(ended) ? ended.map(String) : [];
  }

  async readStats(options: { onlyCpuAndMemory: boolean }, signal?: AbortSignal): Promise<RemotePodStats[]> {
    const { method, path } = ENDPOINTS.stats;
    const answer = await this.call(
      method,
      `${path}?only_cpu_and_memory=${options.onlyCpuAndMemory}`,
      undefined,
      signal,
    );
    return parseRemoteStats(answer);
  }

  streamLogs(uid: string, container: string, query: URLSearchParams, signal: AbortSignal): Promise<Readable> {
    const { method, path } = ENDPOINTS.logs;
    return this.#long(
      () => this.client.open({ method, path: `${toPath(path, { uid, container })}?${query}`, signal }),
      (body) => body,
    );
  }

  openStream(name: string, query: URLSearchParams, signal: AbortSignal): Promise<Duplex> {
    return this.#long(
      () => this.#openStream(this.client, streamPath(name, query), signal),
      (stream) => stream,
    );
  }

  openDirectStream(name: string, query: URLSearchParams, signal: AbortSignal): Promise<Duplex> {
    this.mustBeReachable();
    return this.#openStream(this.#direct, streamPath(name, query), signal);
  }

  upgrade(uid: string, request: UpgradeRequest): Promise<UpgradeResponse> {
    return this.#long(
      () => openPodUpgrade(this.client, uid, request),
      (answer) => (answer.upgraded ? answer.socket : undefined),
    );
  }

  /** Opens a stream that may stay open. */
  async #long<T>(open: () => Promise<T>, streamOf: (opened: T) => Readable | undefined): Promise<T> {
    this.mustBeReachable();
    if (this.#longStreams >= MAX_LONG_STREAMS)
      throw new CodedError(
        'ResourceExhausted',
        `${MAX_LONG_STREAMS} logs, shells and port-forwards to ${this.name} are open already; end one of them first`,
      );
    this.#longStreams += 1;
    const done = (): void => {
      this.#longStreams -= 1;
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

  async #openStream(client: PeerClient, path: string, signal: AbortSignal): Promise<Duplex> {
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

  protected async call(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<unknown> {
    this.mustBeReachable();
    const limits = { ms: timeoutMs, ...(signal === undefined ? {} : { signal }) };
    return withDeadline(this.#clock, limits, (within) => this.client.call({ method, path, body, signal: within }));
  }
}
