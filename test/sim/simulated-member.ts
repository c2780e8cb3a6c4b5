import type { Duplex } from 'node:stream';
import { OwnRecord } from '../../src/agent/identity/own-record.ts';
import { leaveFederation } from '../../src/agent/joining/leave.ts';
import { AdmissionGate } from '../../src/agent/membership/admission-gate.ts';
import { Membership } from '../../src/agent/membership/membership.ts';
import { Rosters } from '../../src/agent/roster/rosters.ts';
import { createPodCalls } from '../../src/agent/shadow-pod/pod-calls.ts';
import { CodedError } from '../../src/core/coded-error.ts';
import type { PeerRecord } from '../../src/core/membership/peer-record.ts';
import { signVouch } from '../../src/core/membership/signed-record.ts';
import type { Dialing } from '../../src/peering/dialing.ts';
import {
  acceptPeerConnection,
  openPeerConnection,
  type PeerConnection,
  type PeerHello,
} from '../../src/peering/peer-connection.ts';
import { PeerServer } from '../../src/peering/peer-server.ts';
import { Peers } from '../../src/peering/peers.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { PROTOCOL_VERSION } from '../../src/wire/endpoints.ts';
import { FakePeerObjects } from '../agent/membership/fake-peer-objects.ts';
import { createMember, type TestMember } from '../core/membership/member-fixture.ts';
import { FakeProvider, FakeSource } from '../peering/peer-server-fixture.ts';
import { refusingCalls } from '../peering/refusing-calls.ts';
import type { SimulatedNetwork } from './simulated-network.ts';
import type { SimulatedTime } from './simulated-time.ts';

/** All that members share. */
export interface SimulatedWorld {
  time: SimulatedTime;
  network: SimulatedNetwork;
  random(): number;
  /** By ID. */
  members: Map<string, SimulatedMember>;
}

const proven = (id: string) => ({ id, keyGenerations: { own: 0, peer: 0 } });
const never = (): Promise<never> => Promise.reject(new CodedError('Unavailable', 'not in the simulation'));

/**
 * One member: the agent's own membership, sessions and peer server with its HTTP/1.1 and HTTP/2, over streams that a simulated
 * network carries. Left out are TLS, whose handshake is taken as time and bytes, and the door that checks certificates: who is
 * no member is turned away by the roster instead.
 */
export class SimulatedMember {
  readonly identity: TestMember;
  readonly name: string;
  readonly peers = new FakePeerObjects();
  /** `state of whom`, with the simulated time in ms. */
  readonly changes: { at: number; id: string; state: string }[] = [];
  membership!: Membership;
  rosters!: Rosters;
  ways!: Peers;
  readonly #world: SimulatedWorld;
  #own!: OwnRecord;
  #kept: PeerRecord | undefined;
  #server: PeerServer | undefined;
  #runs = 0;
  #stop = new AbortController();

  private constructor(world: SimulatedWorld, name: string, identity: TestMember) {
    this.#world = world;
    this.name = name;
    this.identity = identity;
  }

  static async create(world: SimulatedWorld, name: string): Promise<SimulatedMember> {
    const member = new SimulatedMember(world, name, await createMember(name));
    world.members.set(member.id, member);
    await member.#compose();
    return member;
  }

  get id(): string {
    return this.identity.id;
  }

  get isUp(): boolean {
    return this.#server !== undefined;
  }

  record(): PeerRecord {
    return this.#own.record();
  }

  /** As if it had been told of these members before. */
  async learn(records: PeerRecord[]): Promise<void> {
    for (const record of records) {
      if (record.id === this.id) continue;
      const vouch = signVouch(record.id, this.id, this.identity.key);
      await this.peers.create(undefined, { metadata: { name: record.name }, spec: { ...record, vouch } });
    }
  }

  /** Starts its agent. */
  async start(): Promise<void> {
    for (const id of this.#world.members.keys()) this.#world.network.setCut(this.id, id, false);
    if (this.#server === undefined) await this.#compose();
    this.#stop = new AbortController();
    for (const peer of this.peers.list()) await this.peers.patch(undefined, { name: peer.metadata.name }, {});
    const server = this.#server;
    if (server !== undefined) void this.ways.run(this.#stop.signal, server);
  }

  /** Ends its agent without a word, as power loss does. */
  crash(): void {
    for (const id of this.#world.members.keys()) this.#world.network.setCut(this.id, id, true);
    this.#stop.abort();
    const server = this.#server;
    this.#server = undefined;
    void server?.close();
  }

  /** Says goodbye to all, and is gone. */
  async leave(): Promise<void> {
    const { clock } = this.#world.time;
    const { membership, ways } = this;
    await leaveFederation({ own: this.#own, links: ways, membership, clock, logger: silentLogger });
    await clock.sleep(1_000);
    this.crash();
    this.#world.members.delete(this.id);
  }

  /** Joins through `inviter`, as the join desk and the join request do it between them. */
  async join(inviter: SimulatedMember): Promise<void> {
    const { clock } = this.#world.time;
    await clock.sleep(4 * this.#world.network.conditions.delayMs);
    await inviter.membership.admit(this.record());
    await this.membership.accept(inviter.rosters.records(), inviter.id);
  }

  countConnected(): number {
    return this.ways.list().filter((link) => link.state === 'Connected').length;
  }

  async #compose(): Promise<void> {
    const { time, random } = this.#world;
    const { clock } = time;
    const common = { clock, random, logger: silentLogger };
    this.#runs += 1;
    const hello = { instance: `${this.name}-${this.#runs}`, protocol: PROTOCOL_VERSION, version: 'simulated' };
    this.#own = await OwnRecord.create({
      identity: this.identity,
      defaults: { name: this.name, endpoints: ['192.0.2.1:7443'] },
      load: () => Promise.resolve(this.#kept),
      save: (record) => {
        this.#kept = record;
        return Promise.resolve();
      },
    });
    this.ways = new Peers({
      ...common,
      ownId: this.id,
      dialing: this.#createDialing(hello),
      ownPods: { synced: true, isOn: () => true, countOn: () => 0 },
      synced: () => this.peers.synced,
    });
    this.membership = new Membership({
      ...common,
      client: this.peers,
      peers: this.peers,
      identity: this.identity,
      own: this.#own,
      ways: this.ways,
      gate: new AdmissionGate(() => undefined),
      removed: { load: () => [], save: () => Promise.resolve() },
    });
    this.rosters = new Rosters({
      ...common,
      own: this.#own,
      identity: this.identity,
      members: this.membership,
      ways: this.ways,
    });
    const { rosters, ways } = this;
    const last = new Map<string, string>();
    ways.onChange((id, change) => {
      const state = ways.get(id)?.state ?? 'Removed';
      // Other news come as changes of state as well.
      if (change !== 'state' || last.get(id) === state) return;
      last.set(id, state);
      this.changes.push({ at: time.nowMs, id, state });
    });
    const server = new PeerServer({
      ...common,
      identity: this.identity,
      hello,
      roster: rosters,
      peers: ways,
      serving: {
        calls: {
          ...refusingCalls(),
          ...rosters.calls,
          ...createPodCalls(new FakeProvider()),
          lease: () => ({ ended: [] }),
        },
        streams: { packets: never, 'home-api': never },
        podStream: never,
        source: new FakeSource(),
        join: never,
      },
    });
    await server.listen('127.0.0.1', 0);
    this.#server = server;
  }

  #createDialing(hello: PeerHello): Dialing {
    return {
      toPeer: async (record, _last, signal) => {
        const [here, there] = await this.#reach(record.id, signal);
        this.#world.members.get(record.id)?.accept(this.id, there);
        return {
          connection: await openPeerConnection(here, proven(record.id), hello),
          endpoint: record.endpoints[0] ?? '',
        };
      },
      dedicated: async (record, _endpoint, signal) => {
        const [here] = await this.#reach(record.id, signal);
        return here;
      },
      through: (record, carrier, via, _signal): Promise<PeerConnection> =>
        openPeerConnection(carrier, proven(record.id), { ...hello, via }),
    };
  }

  #reach(id: string, signal: AbortSignal): Promise<[Duplex, Duplex]> {
    const other = this.#world.members.get(id);
    const isOpen = (): boolean => other?.isUp === true && other.ways.get(this.id) !== undefined;
    return this.#world.network.connect(this.id, id, isOpen, signal);
  }

  /** A connection that a member opened. */
  accept(peerId: string, socket: Duplex): void {
    const { clock } = this.#world.time;
    const hello = { instance: `${this.name}-${this.#runs}`, protocol: PROTOCOL_VERSION, version: 'simulated' };
    const { ways } = this;
    acceptPeerConnection(
      socket,
      proven(peerId),
      { hello, sleep: (ms, signal) => clock.sleep(ms, signal) },
      (connection) => ways.accept(connection),
    );
  }
}
