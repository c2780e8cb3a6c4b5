import type { Writable } from 'node:stream';
import type { Clock } from '../runtime/clock.ts';
import { HEARTBEAT_INTERVAL_MS, type SessionMessage } from '../wire/session-message.ts';
import type { PeerConnections, Roster, SessionSource } from './ports.ts';

/** Changes within this time go out together. */
const COALESCE_MS = 20;
/** Who reaches whom is said to all, and changes for each of them when a member comes or goes. */
const REACH_AFTER_MS = 500;
/** Heartbeats are most of what idle members send; clocks drift slowly. */
const TELL_TIME_EVERY = 10;

/** What a peer understands (wire/endpoints); one that says nothing gets everything whole. */
export interface SessionQuery {
  roster?: string;
  reach?: string;
}

export interface SessionDeps {
  source: SessionSource;
  roster: Pick<Roster, 'told' | 'digest'>;
  asked: SessionQuery;
  connections: Pick<PeerConnections, 'reach'>;
  hello: Extract<SessionMessage, { type: 'hello' }>;
  clock: Clock;
}

/** One open session: tells a peer, over one stream, the state of everything that concerns it, and what changes about it. */
export class SessionStream {
  readonly peerId: string;
  readonly #deps: SessionDeps;
  readonly #out: Writable;
  readonly #changedPods = new Set<string>();
  #offer = true;
  #roster = true;
  /** The one that was told last. */
  #digest: string | undefined;
  #reach: boolean;
  #reachIsDue = false;
  /** What was told of it last. */
  #reached: Record<string, number> | undefined;
  #allPods = true;
  #closed = false;
  #flushing = false;

  constructor(peerId: string, out: Writable, deps: SessionDeps) {
    this.peerId = peerId;
    this.#deps = deps;
    this.#out = out;
    this.#reach = Object.keys(deps.connections.reach()).length > 0;
    out.on('close', () => this.close());
    out.on('error', () => this.close());
    this.#write(deps.hello);
    void this.#beat();
    void this.#flushSoon();
  }

  get closed(): boolean {
    return this.#closed;
  }

  note(change: 'offer' | 'pods' | 'roster' | 'reach' | { podUid: string }): void {
    if (change === 'offer') this.#offer = true;
    else if (change === 'reach') return void this.#noteReach();
    else if (change === 'roster') this.#roster = true;
    else if (change === 'pods') this.#allPods = true;
    else this.#changedPods.add(change.podUid);
    void this.#flushSoon();
  }

  /** Says that this agent means to be back soon, and ends the stream. */
  bye(): void {
    if (!this.#closed) this.#out.end(`${JSON.stringify({ type: 'bye' } satisfies SessionMessage)}\n`);
  }

  close(): void {
    this.#closed = true;
    this.#out.destroy();
  }

  async #beat(): Promise<void> {
    for (let beats = 0; !this.#closed; beats += 1) {
      await this.#deps.clock.sleep(HEARTBEAT_INTERVAL_MS);
      // A peer that reads nothing gets no pile of heartbeats.
      if (!this.#closed && !this.#out.writableNeedDrain)
        this.#write({ type: 'heartbeat', ...(beats % TELL_TIME_EVERY === 0 ? { now: this.#deps.clock.now() } : {}) });
    }
  }

  async #flushSoon(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    await this.#deps.clock.sleep(COALESCE_MS);
    if (this.#out.writableNeedDrain && !this.#closed) await new Promise<void>((resolve) => this.#onceFree(resolve));
    this.#flushing = false;
    if (!this.#closed) this.#flush();
  }

  async #noteReach(): Promise<void> {
    if (this.#reachIsDue) return;
    this.#reachIsDue = true;
    await this.#deps.clock.sleep(REACH_AFTER_MS);
    this.#reachIsDue = false;
    this.#reach = true;
    void this.#flushSoon();
  }

  #onceFree(resolve: () => void): void {
    this.#out.once('drain', resolve);
    this.#out.once('close', resolve);
  }

  #flush(): void {
    const { source, connections } = this.#deps;
    if (this.#roster) this.#tellRoster();
    this.#roster = false;
    if (this.#reach) this.#tellReach(connections.reach());
    this.#reach = false;
    const offer = this.#offer ? source.offerFor(this.peerId) : undefined;
    if (offer !== undefined) {
      this.#write({ type: 'offer', offer });
      this.#offer = false;
    }
    const pods = this.#allPods ? source.podsFor(this.peerId) : undefined;
    if (pods !== undefined) {
      this.#write({ type: 'pods', pods });
      this.#allPods = false;
      this.#changedPods.clear();
    }
    // Until the full list went out, single changes are part of it.
    if (this.#allPods) return;
    for (const uid of this.#changedPods) {
      const pod = source.podFor(this.peerId, uid);
      this.#write(pod === undefined ? { type: 'pod-gone', uid } : { type: 'pod', pod });
    }
    this.#changedPods.clear();
  }

  #tellRoster(): void {
    const { roster, asked } = this.#deps;
    const digest = roster.digest();
    if (asked.roster !== 'digest') this.#write({ type: 'roster', records: roster.told() });
    else if (digest !== this.#digest) this.#write({ type: 'roster-digest', digest });
    this.#digest = digest;
  }

  #tellReach(members: Record<string, number>): void {
    const before = this.#reached;
    this.#reached = members;
    if (before === undefined || this.#deps.asked.reach !== 'changes') {
      this.#write({ type: 'reach', members });
      return;
    }
    const reached = Object.fromEntries(Object.entries(members).filter(([id, ms]) => isOtherWay(before[id], ms)));
    const lost = Object.keys(before).filter((id) => members[id] === undefined);
    this.#reached = { ...before, ...reached };
    for (const id of lost) delete this.#reached[id];
    if (lost.length > 0 || Object.keys(reached).length > 0) this.#write({ type: 'reach-change', reached, lost });
  }

  #write(message: SessionMessage): void {
    this.#out.write(`${JSON.stringify(message)}\n`);
  }
}

/** Round-trip times drift all the time: only one that is twice or half of what was told is news. */
function isOtherWay(before: number | undefined, ms: number): boolean {
  return before === undefined || Math.max(before, ms) > 2 * Math.min(before, ms);
}
