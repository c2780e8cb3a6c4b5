import { type Duplex, Transform } from 'node:stream';
import { CodedError } from '../core/coded-error.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import { rankRelays } from '../core/membership/relay-choice.ts';
import type { Clock } from '../runtime/clock.ts';
import { withDeadline } from '../runtime/deadline.ts';
import { joinStreams } from '../runtime/upgrade.ts';
import type { Dialing } from './dialing.ts';
import type { Peer } from './peer.ts';
import type { PeerConnection } from './peer-connection.ts';
import type { StreamHandler } from './serving.ts';

export interface RelaysDeps {
  links: { get(id: string): Peer | undefined; list(): Peer[] };
  dialing: Pick<Dialing, 'through'>;
  clock: Clock;
}

/** For the third member to get hold of the other one. */
const ASK_WITHIN_MS = 3_000;
/** More ways than this are not tried in a row. */
const MAX_TRIES = 3;
/** One pair needs one stream; while it is made anew, two. */
const MAX_STREAMS_PER_PEER = 64;
/** What one peer may send through us: enough for shells and logs, and no more than a part of a gigabit. */
const BYTES_PER_SECOND = 32 * 1024 * 1024;
const BURST_BYTES = 4 * 1024 * 1024;

/**
 * Two members that cannot reach each other go through a third that both reach. The third joins two raw streams; the two speak
 * TLS to each other over them with their pinned keys, so that it sees nothing and cannot pretend to be anybody.
 */
export class Relays {
  readonly #deps: RelaysDeps;
  readonly #carried = new Map<string, Set<Duplex>>();
  readonly #paces = new Map<string, Pace>();

  constructor(deps: RelaysDeps) {
    this.#deps = deps;
  }

  /** Connects to a peer through the nearest member that reaches it. Throws Unavailable when there is none. */
  async dial(record: PeerRecord, signal: AbortSignal): Promise<PeerConnection> {
    const { links, dialing, clock } = this.#deps;
    const candidates = links
      .list()
      .filter(({ state, status }) => state === 'Connected' && status.via === undefined)
      .map(({ id, reach, status: { roundTripMs } }) => ({ id, reach, roundTripMs }));
    let failure: unknown;
    for (const id of rankRelays(candidates, record.id).slice(0, MAX_TRIES)) {
      try {
        const carrier = await withDeadline(clock, { ms: ASK_WITHIN_MS, signal }, async (within) => {
          const link = links.get(id);
          if (link === undefined) throw new CodedError('NotFound', 'the third member is gone');
          return link.stream('relay', { to: record.id }, within);
        });
        return await dialing.through(record, carrier, id, signal);
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw new CodedError('Unavailable', `no other member reaches ${record.name} either`, failure);
  }

  /** As the third member: joins the streams of two others. */
  get server(): StreamHandler<'relay'> {
    return async ({ peerId, query, accept }) => {
      const { links, clock } = this.#deps;
      const link = links.get(query.to);
      if (link === undefined || link.id === peerId || link.state !== 'Connected' || link.status.via !== undefined)
        throw new CodedError('Unavailable', 'that member is not connected to this one');
      const carried = this.#carried.get(peerId) ?? new Set();
      this.#carried.set(peerId, carried);
      if (carried.size >= MAX_STREAMS_PER_PEER)
        throw new CodedError('ResourceExhausted', 'this member carries too many connections for you already');
      const there = await withDeadline(clock, { ms: ASK_WITHIN_MS }, (within) =>
        link.stream('relayed', { from: peerId }, within),
      );
      const here = accept();
      carried.add(here);
      here.once('close', () => carried.delete(here));
      joinStreams(
        { stream: here, head: Buffer.alloc(0) },
        { stream: there, head: Buffer.alloc(0) },
        { forth: this.#paceOf(peerId), back: this.#paceOf(link.id) },
      );
    };
  }

  #paceOf(peerId: string): Transform {
    const pace = this.#paces.get(peerId) ?? { busyUntil: 0 };
    this.#paces.set(peerId, pace);
    return paced(pace, this.#deps.clock);
  }
}

/** Monotonic ms at which everything that was let through would be sent at the allowed rate. */
interface Pace {
  busyUntil: number;
}

/** Passes bytes on no faster than the allowed rate, which all streams of one pace share. */
function paced(pace: Pace, clock: Clock): Transform {
  const ended = new AbortController();
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const now = clock.monotonic();
      const burstMs = (BURST_BYTES / BYTES_PER_SECOND) * 1_000;
      pace.busyUntil = Math.max(pace.busyUntil, now - burstMs) + (chunk.length / BYTES_PER_SECOND) * 1_000;
      const waitMs = pace.busyUntil - now;
      if (waitMs <= 0) return done(null, chunk);
      clock.sleep(waitMs, ended.signal).then(
        () => done(null, chunk),
        (error: Error) => done(error),
      );
    },
    destroy: (error, done) => {
      ended.abort();
      done(error);
    },
  });
}
