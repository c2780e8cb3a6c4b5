import type { Writable } from 'node:stream';
import type { RemotePod } from '../core/exchange/pod-submission.ts';
import type { Clock } from '../runtime/clock.ts';
import type { RequestOf } from '../wire/definition.ts';
import type { ENDPOINTS } from '../wire/endpoints.ts';
import { HEARTBEAT_INTERVAL_MS, type SessionMessage } from '../wire/messages.ts';
import type { SessionSource } from './serving.ts';

/** Changes within this time go out together. */
const COALESCE_MS = 20;
/** Who reaches whom is said to all, and changes for each of them when a member comes or goes. */
const REACH_AFTER_MS = 500;
/** Heartbeats are most of what idle members send; clocks drift slowly. */
const TELL_TIME_EVERY = 10;
/** What one part of a list of pods has, in characters, if it is more than one pod: far below what a line may have. */
const PART_CHARS = 256 * 1024;

/** What a peer understands (wire/endpoints); one that says nothing gets everything whole. */
export type SessionQuery = RequestOf<typeof ENDPOINTS.session>['query'];

export type SessionChange = 'offer' | 'pods' | 'roster' | 'reach' | { podUid: string };

export interface SessionSenderDeps {
  source: Pick<SessionSource, 'offerFor' | 'podsFor' | 'podFor'>;
  /** What members tell each other about members. */
  roster: { told(): Extract<SessionMessage, { type: 'roster' }>['records']; digest(): string };
  asked: SessionQuery;
  /** The members that we reach directly, by ID, with round-trip times in ms. */
  reach(): Record<string, number>;
  hello: Extract<SessionMessage, { type: 'hello' }>;
  clock: Clock;
}

/** One open session: tells a peer, over one stream, the state of everything that concerns it, and what changes about it. */
export class SessionSender {
  readonly peerId: string;
  readonly #deps: SessionSenderDeps;
  readonly #out: Writable;
  #changedPods = new Set<string>();
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
  /** Something changed since it was told last. */
  #news = true;

  constructor(peerId: string, out: Writable, deps: SessionSenderDeps) {
    this.peerId = peerId;
    this.#deps = deps;
    this.#out = out;
    this.#reach = Object.keys(deps.reach()).length > 0;
    out.on('close', () => this.close());
    out.on('error', () => this.close());
    this.#write(deps.hello);
    void this.#beat();
    void this.#flushSoon();
  }

  get closed(): boolean {
    return this.#closed;
  }

  note(change: SessionChange): void {
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
    this.#news = true;
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.#news && !this.#closed) {
      await this.#deps.clock.sleep(COALESCE_MS);
      await this.#whenFree();
      this.#news = false;
      if (!this.#closed) await this.#flush();
    }
    this.#flushing = false;
  }

  async #noteReach(): Promise<void> {
    if (this.#reachIsDue) return;
    this.#reachIsDue = true;
    await this.#deps.clock.sleep(REACH_AFTER_MS);
    this.#reachIsDue = false;
    this.#reach = true;
    void this.#flushSoon();
  }

  /** Until what was written is on its way: a peer that reads slowly gets no pile of anything. */
  async #whenFree(): Promise<void> {
    if (!this.#out.writableNeedDrain || this.#closed) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#out.off('drain', done);
        this.#out.off('close', done);
        resolve();
      };
      this.#out.once('drain', done);
      this.#out.once('close', done);
    });
  }

  async #flush(): Promise<void> {
    const { source, reach } = this.#deps;
    if (this.#roster) this.#tellRoster();
    this.#roster = false;
    if (this.#reach) this.#tellReach(reach());
    this.#reach = false;
    const offer = this.#offer ? source.offerFor(this.peerId) : undefined;
    if (offer !== undefined) {
      this.#write({ type: 'offer', offer });
      this.#offer = false;
    }
    const pods = this.#allPods ? source.podsFor(this.peerId) : undefined;
    if (pods !== undefined) {
      this.#allPods = false;
      // What changes while the list goes out is told after it.
      this.#changedPods.clear();
      await this.#tellAllPods(pods);
    }
    // Until the full list went out, single changes are part of it.
    if (this.#allPods || this.#closed) return;
    const changed = this.#changedPods;
    this.#changedPods = new Set();
    for (const uid of changed) {
      const pod = source.podFor(this.peerId, uid);
      this.#write(pod === undefined ? { type: 'pod-gone', uid } : { type: 'pod', pod });
    }
  }

  async #tellAllPods(pods: RemotePod[]): Promise<void> {
    if (this.#deps.asked.pods !== 'parts') return this.#write({ type: 'pods', pods });
    let part: RemotePod[] = [];
    let chars = 0;
    for (const pod of pods) {
      const length = JSON.stringify(pod).length;
      if (part.length > 0 && chars + length > PART_CHARS) {
        this.#write({ type: 'pods', pods: part, more: true });
        await this.#whenFree();
        if (this.#closed) return;
        part = [];
        chars = 0;
      }
      part.push(pod);
      chars += length;
    }
    this.#write({ type: 'pods', pods: part });
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
