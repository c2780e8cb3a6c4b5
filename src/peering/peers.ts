import type { PeerRecord } from '../core/membership/peer-record.ts';
import { takenOffer } from '../core/offer/taken-offer.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { SessionMessage } from '../wire/messages.ts';
import { Complaints } from './complaints.ts';
import type { Dialing } from './dialing.ts';
import { Peer, type Told } from './peer.ts';
import { PeerChanges } from './peer-changes.ts';
import type { KeyGenerations, PeerConnection } from './peer-connection.ts';
import { PeerWay } from './peer-way.ts';
import type { PeerChange, PeerLinks, PeerServing } from './ports.ts';
import { Reach } from './reach.ts';
import { Relays } from './relays.ts';
import { type PodsOnPeers, RemotePods } from './remote-pods.ts';
import { tick } from './ticks.ts';

export interface PeersDeps {
  ownId: string;
  dialing: Dialing;
  ownPods: PodsOnPeers;
  /** False until it is known who the members are. */
  synced(): boolean;
  clock: Clock;
  random(): number;
  logger: Logger;
}

/** What a peer says about members; membership judges it. */
export interface MemberNews {
  onRecords(id: string, records: PeerRecord[]): void;
  /** The peer said the digest of its roster. */
  onDigest(id: string, digest: string): void;
}

/** A member to which there is to be a way. */
export interface PeerIdentity {
  record: PeerRecord;
  /** The name of its Peer object. */
  name: string;
  /** The state that a former life of this agent wrote, if any. */
  shownState: string | undefined;
}

interface Entry {
  peer: Peer;
  way: PeerWay;
  told: Told & { pods: RemotePods; reach: Map<string, number> };
  stop: AbortController;
  /** False for one whose record cannot be used: nothing connects to it. */
  usable: boolean;
  running: boolean;
}

/** With itself, as many as members can know. */
const MAX_REACHED = 500;

/** The ways to all peers. Nothing is dialled, and nothing comes in, before `run` is told what serves. */
export class Peers implements PeerLinks {
  /** Who reaches whom. */
  readonly reach: Reach;
  /** Carries connections of others that cannot reach each other. */
  readonly relays: Relays;
  /** What peers say that they should not. */
  readonly complaints: Complaints;
  readonly #deps: PeersDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #changes: PeerChanges;
  readonly #news: MemberNews[] = [];
  #running: { signal: AbortSignal; serving: PeerServing } | undefined;

  constructor(deps: PeersDeps) {
    this.#deps = deps;
    this.reach = new Reach(() => this.list());
    this.relays = new Relays({ links: this, dialing: deps.dialing, clock: deps.clock });
    this.complaints = new Complaints(deps.logger);
    this.#changes = new PeerChanges(deps.logger);
  }

  /** False until it is known who the members are: until then a missing peer proves nothing. */
  get synced(): boolean {
    return this.#deps.synced();
  }

  get(id: string): Peer | undefined {
    return this.#entries.get(id)?.peer;
  }

  list(): Peer[] {
    return [...this.#entries.values()].map(({ peer }) => peer);
  }

  onChange(listener: (id: string, change: PeerChange) => void): void {
    this.#changes.onChange(listener);
  }

  /** Says who judges what peers say about members. */
  onNews(news: MemberNews): void {
    this.#news.push(news);
  }

  /** A member came. @param usable false: its record cannot be used, and there is no way to it until another one is given */
  add(identity: PeerIdentity, usable = true): void {
    const { id } = identity.record;
    const entry = this.#createEntry(identity);
    entry.usable = usable;
    this.#entries.set(id, entry);
    this.#changes.tell(id, 'added');
    this.#start(entry);
  }

  /** Its record is another one, which can be used. */
  update(record: PeerRecord): void {
    const entry = this.#entries.get(record.id);
    if (entry === undefined) return;
    entry.way.update(record);
    entry.usable = true;
    this.#start(entry);
  }

  /** It is no member any more. */
  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    entry.stop.abort();
    this.complaints.forget(id);
    this.#changes.tell(id, 'removed');
  }

  /** What was opened by keys that are replaced gives way to what is opened by the present ones. */
  expectKeys(id: string, keys: KeyGenerations): void {
    this.#entries.get(id)?.way.expectKeys(keys);
  }

  /** There is reason to think that these can be reached now. */
  hurry(ids: Iterable<string>): void {
    for (const id of ids) this.#entries.get(id)?.way.hurry();
  }

  /** A member opened a connection to us. */
  accept(connection: PeerConnection): void {
    const entry = this.#running?.signal.aborted === true ? undefined : this.#entries.get(connection.peerId);
    if (entry === undefined) connection.close(new Error('not a member'));
    else entry.way.accept(connection);
  }

  /** Keeps ways to all members until `signal` aborts. @param serving what answers peers */
  async run(signal: AbortSignal, serving: PeerServing): Promise<void> {
    this.#running = { signal, serving };
    for (const entry of this.#entries.values()) this.#start(entry);
    await tick(() => this.#ways(), this.#deps.clock, signal);
    for (const { stop } of this.#entries.values()) stop.abort();
  }

  *#ways(): Iterable<PeerWay> {
    for (const { way, told } of this.#entries.values()) {
      if (told.pods.mustBeToldAgain) way.restartSession();
      yield way;
    }
  }

  /** Once this runs, and not when it has ended: nobody would end the way any more. */
  #start(entry: Entry): void {
    if (this.#running?.signal.aborted !== false || !entry.usable || entry.running) return;
    entry.running = true;
    void entry.way.run(entry.stop.signal);
  }

  #createEntry({ record, name, shownState }: PeerIdentity): Entry {
    const { id } = record;
    const { dialing, clock, random, ownId, ownPods } = this.#deps;
    const told: Entry['told'] = { offer: undefined, pods: new RemotePods(id, ownPods), reach: new Map() };
    const way = new PeerWay(record, {
      ownId,
      name,
      shownState,
      dialDirectly: (latest, last, signal) => dialing.toPeer(latest, last, signal),
      dialDedicated: (latest, endpoint, signal) => dialing.dedicated(latest, endpoint, signal),
      dialThroughOthers: (latest, signal) => this.relays.dial(latest, signal),
      serve: (stream) => this.#serve(id, stream),
      onState: () => this.#changes.tell(id, 'state'),
      onWay: () => this.reach.refresh(),
      onMessage: (message) => this.#take(id, told, message),
      onMalformed: (problem, type) => {
        this.complaints.say({ id, name }, `message ${type ?? 'of none'}`, problem);
        // What it would have said is not known.
        if (type?.startsWith('pod') === true) told.pods.unsettle();
      },
      onSessionEnd: () => told.pods.unsettle(),
      maxListChars: () => told.pods.maxListChars,
      clock,
      random,
    });
    const peer = new Peer({ id, name }, way, told, clock);
    return { peer, way, told, stop: new AbortController(), usable: true, running: false };
  }

  #serve(id: string, stream: Parameters<PeerServing['serve']>[1]): void {
    if (this.#running === undefined) stream.destroy();
    else this.#running.serving.serve(id, stream);
  }

  #take(id: string, told: Entry['told'], message: SessionMessage): void {
    const tell = (change: PeerChange): void => this.#changes.tell(id, change);
    switch (message.type) {
      case 'hello':
        // It says again whom it reaches, if anybody.
        told.reach.clear();
        break;
      case 'roster':
        for (const news of this.#news) news.onRecords(id, message.records);
        break;
      case 'roster-digest':
        for (const news of this.#news) news.onDigest(id, message.digest);
        break;
      case 'reach':
        told.reach = new Map(Object.entries(message.members));
        this.#hearsayChanged();
        break;
      case 'reach-change':
        changeReach(told.reach, message);
        this.#hearsayChanged();
        break;
      case 'offer':
        told.offer = takenOffer(message.offer);
        tell('offer');
        break;
      case 'pods':
        if (told.pods.takeList(message.pods, message.more === true)) tell('pods');
        break;
      case 'pod':
        told.pods.take(message.pod);
        tell({ podUid: message.pod.uid });
        break;
      case 'pod-gone':
        told.pods.delete(message.uid);
        tell({ podUid: message.uid });
        break;
      default:
        break;
    }
  }

  #hearsayChanged(): void {
    for (const { peer } of this.#entries.values())
      if (peer.state === 'Unreachable') this.#changes.tell(peer.id, 'state');
  }
}

function changeReach(
  known: Map<string, number>,
  { reached, lost }: { reached: Record<string, number>; lost: string[] },
) {
  for (const id of lost) known.delete(id);
  // Changes add up: as many as one message may name, and no more.
  for (const [id, ms] of Object.entries(reached)) if (known.size < MAX_REACHED) known.set(id, ms);
}
