import type { Duplex } from 'node:stream';
import { createPodStreamHandlers } from '../../src/agent/pod-streams/pod-stream-handlers.ts';
import type { PodProvider, PodStreams, Roster, ServiceMirrorDesk } from '../../src/agent/ports.ts';
import { createServiceCalls } from '../../src/agent/service/service-calls.ts';
import { createPodCalls } from '../../src/agent/shadow-pod/pod-calls.ts';
import { CodedError } from '../../src/core/coded-error.ts';
import type { PodSubmission, RemotePod } from '../../src/core/exchange/pod-submission.ts';
import type { Pod } from '../../src/core/kube-objects.ts';
import type { PeerRecord } from '../../src/core/membership/peer-record.ts';
import { digestOfRoster, type RosterVersions, recordsMissingFrom } from '../../src/core/membership/roster-digest.ts';
import type { SentService, ServiceProblem } from '../../src/core/service/sent-service.ts';
import { Complaints } from '../../src/peering/complaints.ts';
import { dialPeer } from '../../src/peering/dial-peer.ts';
import { PeerClient, type PeerRequest } from '../../src/peering/peer-client.ts';
import type { PeerConnection } from '../../src/peering/peer-connection.ts';
import { PeerServer } from '../../src/peering/peer-server.ts';
import type { CallHandlers, JoinReply, JoinRequest, SessionSource } from '../../src/peering/serving.ts';
import { type Clock, systemClock } from '../../src/runtime/clock.ts';
import { type Logger, silentLogger } from '../../src/runtime/logger.ts';
import { PROTOCOL_VERSION } from '../../src/wire/endpoints.ts';
import { resigned, type TestMember } from '../core/membership/member-fixture.ts';
import { refusingCalls } from './refusing-calls.ts';

/** A roster that tests set. */
export class FakeRoster implements Roster {
  readonly heard: { records: PeerRecord[]; from: string }[] = [];
  readonly #listeners: (() => void)[] = [];
  #records: PeerRecord[];

  constructor(records: PeerRecord[]) {
    this.#records = records;
  }

  set(records: PeerRecord[]): void {
    this.#records = records;
    for (const listener of this.#listeners) listener();
  }

  records(): PeerRecord[] {
    return this.#records;
  }

  told(): PeerRecord[] {
    return this.#records;
  }

  digest(): string {
    return digestOfRoster(this.#records);
  }

  missingFrom(versions: RosterVersions): PeerRecord[] {
    return recordsMissingFrom(versions, this.#records, []);
  }

  tell(records: PeerRecord[], from: string): Promise<void> {
    this.heard.push({ records, from });
    return Promise.resolve();
  }

  admit(record: PeerRecord): Promise<void> {
    this.set([...this.#records, record]);
    return Promise.resolve();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

/** The provider side of sessions, as tests set it. */
export class FakeSource implements SessionSource {
  pods: RemotePod[] | undefined = [];
  readonly #listeners: Parameters<SessionSource['onChange']>[0][] = [];

  offerFor(): undefined {
    return undefined;
  }

  podsFor(): RemotePod[] | undefined {
    return this.pods;
  }

  podFor(_peerId: string, uid: string): RemotePod | undefined {
    return this.pods?.find((pod) => pod.uid === uid);
  }

  onChange(listener: Parameters<SessionSource['onChange']>[0]): void {
    this.#listeners.push(listener);
  }

  change(change: 'pods' | { podUid: string }): void {
    for (const listener of this.#listeners) listener('all', change);
  }
}

/** Remembers what peers asked for. */
export class FakeProvider implements PodProvider {
  readonly submitted: { peerId: string; uid: string; submission: PodSubmission }[] = [];
  readonly deleted: { peerId: string; uid: string; gracePeriodSeconds: number | undefined }[] = [];

  submit(peerId: string, uid: string, submission: PodSubmission) {
    this.submitted.push({ peerId, uid, submission });
    return Promise.resolve({ accepted: true } as const);
  }

  sendAhead() {
    return Promise.resolve({ accepted: true } as const);
  }

  delete(peerId: string, uid: string, gracePeriodSeconds: number | undefined) {
    this.deleted.push({ peerId, uid, gracePeriodSeconds });
    return Promise.resolve();
  }

  update() {
    return Promise.resolve();
  }

  updateObjects() {
    return Promise.resolve();
  }

  locate(_peerId: string, uid: string) {
    if (uid === 'unknown') throw new CodedError('NotFound', 'no such pod here');
    return { namespace: 'twin', name: uid };
  }
}

/** Remembers what peers told of their Services. */
export class FakeServices implements ServiceMirrorDesk {
  readonly updates: { peerId: string; namespace: string; services: SentService[] }[] = [];
  problems: ServiceProblem[] = [];

  update(peerId: string, namespace: string, services: SentService[]) {
    this.updates.push({ peerId, namespace, services });
    return Promise.resolve(this.problems);
  }

  prepare() {
    return Promise.resolve();
  }
}

export interface TestServer {
  server: PeerServer;
  roster: FakeRoster;
  source: FakeSource;
  provider: FakeProvider;
  services: FakeServices;
  /** The member that runs it, with the endpoint it listens on. */
  record: PeerRecord;
  port: number;
}

const noStreams: PodStreams = {
  logs: () => Promise.reject(new CodedError('Unavailable', 'no logs in this test')),
  upgrade: () => Promise.reject(new CodedError('Unavailable', 'no streams in this test')),
};

/** The peer port of `member` on loopback, where `peers` are pinned. */
export async function startServer(
  member: TestMember,
  peers: TestMember[],
  options: {
    join?: (request: JoinRequest) => Promise<JoinReply>;
    streams?: PodStreams;
    clock?: Clock;
    logger?: Logger;
    /** What is served otherwise than by the fakes. */
    calls?: Partial<CallHandlers>;
    beforeListening?: (server: PeerServer) => void;
  } = {},
): Promise<TestServer> {
  const roster = new FakeRoster([member.record, ...peers.map((peer) => peer.record)]);
  const source = new FakeSource();
  const provider = new FakeProvider();
  const services = new FakeServices();
  const { logger = silentLogger, streams = noStreams } = options;
  const podStreams = createPodStreamHandlers(provider, streams);
  const never = (): Promise<never> => Promise.reject(new CodedError('Unavailable', 'not in this test'));
  const calls: CallHandlers = {
    ...refusingCalls(),
    roster: async ({ peerId, body }) => {
      await roster.tell(body.records, peerId);
      return {};
    },
    rosterDifference: ({ body }) => ({ digest: roster.digest(), records: roster.missingFrom(body.versions) }),
    ...createPodCalls(provider),
    ...createServiceCalls(services),
    ...podStreams.calls,
    stats: () => ({ pods: [] }),
    lease: () => ({ ended: [] }),
    reach: () => ({ endpoints: [{ endpoint: '192.0.2.1:7443', ok: true }] }),
    ...options.calls,
  };
  const server: PeerServer = new PeerServer({
    identity: member,
    hello: { instance: 'host', protocol: PROTOCOL_VERSION, version: 'test' },
    peers: {
      accept: (connection) => connection.serve((stream) => server.serve(connection.peerId, stream)),
      complaints: new Complaints(logger),
      reach: { own: () => ({}), onChange: () => {} },
      relays: { server: never },
    },
    roster,
    serving: {
      calls,
      streams: { packets: never, 'home-api': never },
      podStream: podStreams.podStream,
      source,
      join: options.join ?? (() => Promise.reject(new CodedError('FailedPrecondition', 'no invitations'))),
    },
    clock: options.clock ?? systemClock,
    logger,
  });
  options.beforeListening?.(server);
  const port = await server.listen('127.0.0.1', 0);
  return {
    server,
    roster,
    source,
    provider,
    services,
    port,
    record: resigned(member, { endpoints: [`127.0.0.1:${port}`] }),
  };
}

/** Asks also what no definition knows. */
export class TestClient extends PeerClient {
  /** Sends any request; gives the JSON of the answer. */
  async ask({ body, ...rest }: Omit<PeerRequest, 'body'> & { body?: unknown }): Promise<unknown> {
    const request = { ...rest, body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)) };
    const text = await this.readText(await this.request(request), 8 * 1024 * 1024, request.signal);
    return text === '' ? {} : JSON.parse(text);
  }
}

/** A client with the key of `member` on one connection, which is dialled at the first call, or again when that failed. */
export function connectAs(
  member: TestMember,
  target: Pick<TestServer, 'record'>,
  pinned: TestMember,
): {
  client: TestClient;
  open(signal: AbortSignal): Promise<Duplex>;
  close(): void;
} {
  const record = { ...target.record, id: pinned.id, certificate: pinned.certificateDer };
  const hello = { instance: member.id, protocol: PROTOCOL_VERSION, version: 'test' };
  const context = { identity: member, hello, clock: systemClock };
  let dialed: Promise<PeerConnection> | undefined;
  const open: PeerConnection[] = [];
  const dial = async (): Promise<PeerConnection> => {
    const { connection } = await dialPeer(record, record.endpoints, context, AbortSignal.timeout(5_000));
    open.push(connection);
    return connection;
  };
  const openStream = async (within: AbortSignal): Promise<Duplex> => {
    dialed ??= dial();
    const connection = await dialed.catch((error: unknown) => {
      dialed = undefined;
      throw error;
    });
    return connection.open(within);
  };
  const client = new TestClient(() => record.name, openStream);
  return { client, open: openStream, close: () => open.forEach((connection) => void connection.close()) };
}

/** Waits until `probe` gives something; rather long, since machines that test may be busy. */
export async function eventually<T>(probe: () => T | undefined | false, withinMs = 15_000): Promise<T> {
  for (let i = 0; i < withinMs / 20; i += 1) {
    const value = probe();
    if (value !== undefined && value !== false) return value;
    await systemClock.sleep(20);
  }
  throw new Error('nothing happened within the time');
}

export const examplePod: Pod = {
  metadata: { name: 'web-0', namespace: 'demo', uid: 'uid-1' },
  spec: { containers: [{ name: 'web', image: 'web', newField: { deep: [1] } }] },
  newTopField: 'kept',
};
