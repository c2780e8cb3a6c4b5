import type { PodEvent } from '../exchange/pod-submission.ts';
import { type Bucket, type RateLimit, takeToken } from '../rate-limit.ts';

/** What was told at home about the events that a provider has of one pod. */
export interface ToldEvents {
  /** IDs of the provider's events that need no telling any more. */
  readonly done: ReadonlySet<string>;
  /** Those that wait to be told together: how many, and the monotonic ms at which the first and the last of them arrived. */
  readonly waiting?: Waiting;
  readonly bucket?: Bucket;
}

interface Waiting {
  count: number;
  since: number;
  lastAt: number;
}

/** What follows one another within this time is one event at home, since each event is a write. */
export const GATHER_MS = 2_000;
/** A pod that starts is told of when it has started, or after this long: an image may take its time. */
export const LONGEST_MS = 15_000;
/** As a kubelet bounds the events about one object, whatever a provider sends. */
const LIMIT: RateLimit = { perSecond: 1 / 300, burst: 25 };

/** A provider sends the latest dozen; more than this are not kept in mind. */
const MAX_REMEMBERED = 100;

/**
 * What to begin with when a pod is seen for the first time in this life of the agent.
 * @param running it runs already: what is normal about that was told in a former life, or nobody asks any more
 */
export function initiallyTold(events: readonly PodEvent[], running: boolean): ToldEvents {
  return { done: new Set(running ? events.filter(isNormal).map(({ id }) => id) : []) };
}

/**
 * Which events to record now: each warning by itself and at once, what is normal in one event for all that happened within a moment.
 * @param at `now` in monotonic ms; `starting`: its containers do not run yet
 */
export function planToldEvents(
  told: ToldEvents,
  events: readonly PodEvent[],
  { now, starting }: { now: number; starting: boolean },
): { tell: PodEvent[]; told: ToldEvents; againMs?: number } {
  const fresh = events.filter(({ id }) => !told.done.has(id));
  if (fresh.length === 0) return { tell: [], told };
  const normal = fresh.filter(isNormal);
  const waiting = waitingNow(told.waiting, normal.length, now);
  const dueAt = starting
    ? waiting.since + LONGEST_MS
    : Math.min(waiting.lastAt + GATHER_MS, waiting.since + LONGEST_MS);
  const isDue = now >= dueAt;
  const due: PodEvent[] = fresh.filter((event) => !isNormal(event));
  if (isDue && normal.length > 0) due.push(together(normal));
  let { bucket } = told;
  const tell = due.filter(() => {
    const taken = takeToken(LIMIT, bucket, now);
    bucket = taken ?? bucket;
    return taken !== undefined;
  });
  const waits = normal.length > 0 && !isDue;
  const over = waits ? fresh.filter((event) => !isNormal(event)) : fresh;
  return {
    tell,
    told: {
      done: new Set([...told.done, ...over.map(({ id }) => id)].slice(-MAX_REMEMBERED)),
      ...(waits ? { waiting } : {}),
      ...(bucket === undefined ? {} : { bucket }),
    },
    ...(waits ? { againMs: dueAt - now } : {}),
  };
}

function waitingNow(before: Waiting | undefined, count: number, now: number): Waiting {
  if (before === undefined) return { count, since: now, lastAt: now };
  return before.count === count ? before : { ...before, count, lastAt: now };
}

/** One event that says what all of them say; its reason is that of the last, `Started` as a rule. */
function together(events: readonly PodEvent[]): PodEvent {
  const [first] = events;
  const last = events.at(-1);
  if (first === undefined || last === undefined) throw new Error('there is nothing to tell');
  return { ...last, id: first.id, count: 1, message: [...new Set(events.map(({ message }) => message))].join('; ') };
}

function isNormal({ type }: PodEvent): boolean {
  return type === 'Normal';
}
