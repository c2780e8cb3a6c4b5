import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { OwnRecord } from '../../../src/agent/identity/own-record.ts';
import { leaveFederation } from '../../../src/agent/joining/leave.ts';
import { AdmissionGate } from '../../../src/agent/membership/admission-gate.ts';
import { Membership } from '../../../src/agent/membership/membership.ts';
import type { RemovedMember } from '../../../src/agent/membership/removed-members.ts';
import { Rosters } from '../../../src/agent/roster/rosters.ts';
import { createPodCalls } from '../../../src/agent/shadow-pod/pod-calls.ts';
import { CodedError } from '../../../src/core/coded-error.ts';
import type { FederationObject } from '../../../src/core/membership/peer-object.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import type { MemberLimits } from '../../../src/core/membership/voucher-tree.ts';
import { createDialing } from '../../../src/peering/dialing.ts';
import { PeerServer } from '../../../src/peering/peer-server.ts';
import { Peers } from '../../../src/peering/peers.ts';
import type { CallHandlers, Serving, StreamHandler } from '../../../src/peering/serving.ts';
import { type Clock, systemClock } from '../../../src/runtime/clock.ts';
import { type Logger, silentLogger } from '../../../src/runtime/logger.ts';
import { PROTOCOL_VERSION } from '../../../src/wire/endpoints.ts';
import { createMember, type TestMember, withNextKey } from '../../core/membership/member-fixture.ts';
import { FakeProvider, FakeSource } from '../../peering/peer-server-fixture.ts';
import { refusingCalls } from '../../peering/refusing-calls.ts';
import { FakePeerObjects } from './fake-peer-objects.ts';

const SPEED = 2;

/** Time that runs twice as fast as ours, so that tests need not wait for real seconds. */
export const fastClock: Clock = {
  now: systemClock.now,
  monotonic: () => systemClock.monotonic() * SPEED,
  sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
};

/** What of a member survives the restart of its agent. */
export interface TestCluster {
  identity: TestMember;
  name: string;
  port: number;
  /** The port that others are told; a relay's, or the own one. */
  advertised: number | undefined;
  federation: FederationObject | undefined;
  peers: FakePeerObjects;
  /** How far its clock is ahead of ours. */
  skewMs: number;
  /** What its agent warned of. */
  warnings: string[];
  kept: { record: PeerRecord | undefined; removed: RemovedMember[] };
}

export interface TestAgent {
  cluster: TestCluster;
  membership: Membership;
  /** What the members tell each other about members. */
  rosters: Rosters;
  /** The ways to the others. */
  peers: Peers;
  own: OwnRecord;
  gate: AdmissionGate;
  source: FakeSource;
  changes: string[];
  /** Replaces its key, as headcut rotate-key does. */
  rotateKey(): Promise<unknown>;
  /** It is no member any more, and says so. */
  leave(): Promise<void>;
  /** Stops as a pod does that is told to. */
  stop(): Promise<void>;
}

export async function createCluster(name: string, skewMs = 0): Promise<TestCluster> {
  const kept = { record: undefined, removed: [] };
  return {
    identity: await createMember(name),
    skewMs,
    warnings: [],
    name,
    port: 0,
    advertised: undefined,
    federation: undefined,
    peers: new FakePeerObjects(),
    kept,
  };
}

export interface AgentOptions extends Partial<MemberLimits> {
  /** What it says about its version. */
  protocol?: number;
  /** What becomes of a connection on which a peer asks something of it. */
  through?: (stream: Duplex, peerId: string) => Duplex;
  /** What it serves otherwise than all test agents do. */
  serving?: Partial<Omit<Serving, 'calls'>> & { calls?: Partial<CallHandlers> };
  /** Instead of one that is twice as fast. */
  clock?: Clock;
}

/** An agent of nothing but membership and peer port, on loopback. */
export async function startAgent(cluster: TestCluster, options: AgentOptions = {}): Promise<TestAgent> {
  const {
    protocol = PROTOCOL_VERSION,
    through = (stream) => stream,
    serving = {},
    clock: time = fastClock,
    ...limits
  } = options;
  const { identity, kept, peers, name } = cluster;
  const source = new FakeSource();
  // The port is known only once the server listens, which wants the own record.
  const defaults = { name, endpoints: [`127.0.0.1:${cluster.port === 0 ? 1 : cluster.port}`] };
  const own = await OwnRecord.create({
    identity,
    defaults,
    load: () => Promise.resolve(kept.record),
    save: (record) => {
      kept.record = record;
      return Promise.resolve();
    },
  });
  const clock = { ...time, now: () => time.now() + cluster.skewMs };
  const common = { clock, logger: warningLogger(cluster.warnings), random: () => 0.5 };
  const gate = new AdmissionGate(() => cluster.federation);
  const removed = {
    load: () => kept.removed,
    save: (entries: RemovedMember[]) => {
      kept.removed = entries;
      return Promise.resolve();
    },
  };
  const hello = { instance: randomUUID(), protocol, version: 'test' };
  const dialing = createDialing({ identity, hello, clock });
  const ways = new Peers({
    ...common,
    ownId: own.id,
    dialing,
    ownPods: { synced: true, isOn: () => true, countOn: () => 0 },
    synced: () => peers.synced,
  });
  const membership = new Membership({
    ...common,
    limits,
    client: peers,
    peers,
    identity,
    own,
    ways,
    removed,
    gate,
  });
  const rosters = new Rosters({ ...common, own, identity, members: membership, ways });
  const changes: string[] = [];
  ways.onChange((id, change) => {
    if (typeof change === 'string') changes.push(`${ways.get(id)?.name ?? id.slice(0, 6)} ${change}`);
  });
  const server = new PeerServer({
    ...common,
    identity,
    hello,
    roster: rosters,
    peers: ways,
    serving: {
      calls: {
        ...refusingCalls(),
        ...rosters.calls,
        ...createPodCalls(new FakeProvider()),
        reach: () => ({ endpoints: [{ endpoint: '192.0.2.1:7443', ok: true }] }),
        // As if all of them had been replaced.
        lease: ({ body }) => ({ ended: body?.pods ?? [] }),
        ...serving.calls,
      },
      streams: { packets: echoStream, 'home-api': never },
      podStream: serving.podStream ?? never,
      source: serving.source ?? source,
      join: never,
    },
  });
  cluster.port = await server.listen('127.0.0.1', cluster.port);
  defaults.endpoints = [`127.0.0.1:${cluster.advertised ?? cluster.port}`];
  await own.refresh(undefined);
  // What a watch lists at the start.
  for (const peer of peers.list()) await peers.patch(undefined, { name: peer.metadata.name }, {});
  const stopped = new AbortController();
  const running = ways.run(stopped.signal, {
    serve: (peerId, stream) => server.serve(peerId, through(stream, peerId)),
  });
  const stop = async (): Promise<void> => {
    await server.close();
    stopped.abort();
    await running;
    peers.endWatches();
  };
  const rotateKey = (): Promise<unknown> =>
    own.replaceKey(
      {
        next: () => withNextKey(identity),
        keep: (_next, record) => {
          kept.record = record;
          return Promise.resolve();
        },
        use: ({ key, certificate, certificateDer }) =>
          void Object.assign(identity, { key, certificate, certificateDer }),
      },
      randomUUID(),
    );
  const leave = (): Promise<void> => leaveFederation({ ...common, own, links: ways, membership });
  return { cluster, membership, rosters, peers: ways, own, gate, source, changes, rotateKey, leave, stop };
}

/** The agents that a test file starts. What still runs is to end after each test: `afterEach(agents.stopAll)`. */
export class StartedAgents {
  readonly #running = new Set<TestAgent>();

  /** @param cluster its name, for a new one */
  readonly start = async (cluster: TestCluster | string, options?: AgentOptions): Promise<TestAgent> => {
    const agent = await startAgent(typeof cluster === 'string' ? await createCluster(cluster) : cluster, options);
    this.#running.add(agent);
    return agent;
  };

  readonly stop = async (agent: TestAgent): Promise<void> => {
    this.#running.delete(agent);
    await agent.stop();
  };

  readonly stopAll = async (): Promise<void> => {
    await Promise.all([...this.#running].map(this.stop));
  };
}

function warningLogger(warnings: string[]): Logger {
  const warn = (_fields: object, message: string): void => void warnings.push(message);
  return Object.assign(Object.create(silentLogger) as Logger, { warn });
}

/** `newcomer` joins through `inviter`, as the join desk and the join request do it between them. */
export async function joinThrough(newcomer: TestAgent, inviter: TestAgent): Promise<void> {
  await newcomer.own.rejoin();
  await inviter.membership.admit(newcomer.own.record());
  await newcomer.membership.accept(inviter.rosters.records(), inviter.own.id);
}

/** Sends back what it gets, after the caller's ID and the query; says no to nobody but `refuse`. */
const echoStream: StreamHandler<'packets'> = ({ peerId, query, accept }) => {
  if (query.direct === 'refuse') throw new CodedError('Forbidden', 'not for you');
  const stream = accept();
  stream.write(`${peerId}?${new URLSearchParams(query)}:`);
  stream.pipe(stream);
};

const never = (): Promise<never> => Promise.reject(new CodedError('Unavailable', 'not in this test'));
