import { plainLine } from '../plain-text.ts';

/**
 * What happened in a federation, as a member remembers it: few and short, kept over restarts, longer than Events are kept. It answers
 * "what was that at three in the morning".
 */

export const MOMENT_KINDS = [
  'joined',
  'lost',
  'back',
  'left',
  'path',
  'failover',
  'moved',
  'refused',
  'started',
] as const;
export type MomentKind = (typeof MOMENT_KINDS)[number];

/** One thing that happened. */
export interface Moment {
  /** RFC 3339; of one that happened more than once, the last time. */
  at: string;
  kind: MomentKind;
  /** Name of the peer that it is about. */
  peer?: string;
  namespace?: string;
  /** What made the pods: `Deployment/web`; of one pod its name. */
  workload?: string;
  /** How many pods it was about. */
  pods?: number;
  /** How long it took, or how long a peer was away. */
  seconds?: number;
  /** More, such as a reason; a line of another member is one too. */
  text?: string;
  /** How often within a short time; once when not said. */
  count?: number;
}

/** The ConfigMap in the agent's namespace, and its key. */
export const HISTORY_CONFIG_MAP = 'headcut-history';
export const HISTORY_KEY = 'moments.json';

/** About 50 kB: an object of Kubernetes may have 1 MB, and this one is written as a whole. */
export const MAX_MOMENTS = 200;
/** One peer, namespace or kind does not push out all others. */
const MAX_OF_ONE = 50;
const KEEP_MS = 48 * 3_600_000;
/** The same again within this time is the same moment. */
const SAME_WITHIN_MS = 60_000;
const MAX_TEXT = 200;

/** The moments with one more, the oldest first; bounded, whoever causes them. @param now milliseconds since 1970 */
export function remember(moments: readonly Moment[], moment: Moment, now: number): Moment[] {
  const fresh = bounded(moment);
  const kept = moments.filter(({ at }) => now - Date.parse(at) <= KEEP_MS);
  const same = kept.findLast((one) => isSame(one, fresh));
  if (same !== undefined && Date.parse(fresh.at) - Date.parse(same.at) <= SAME_WITHIN_MS) {
    const pods = (same.pods ?? 0) + (fresh.pods ?? 0);
    const merged: Moment = {
      ...same,
      ...fresh,
      ...(pods === 0 ? {} : { pods }),
      ...(fresh.kind === 'failover' ? {} : { count: (same.count ?? 1) + 1 }),
    };
    return [...kept.filter((one) => one !== same), merged];
  }
  return trimmed([...kept, fresh]);
}

function isSame(a: Moment, b: Moment): boolean {
  return a.kind === b.kind && a.peer === b.peer && a.namespace === b.namespace && a.workload === b.workload;
}

function trimmed(moments: readonly Moment[]): Moment[] {
  const last = moments.at(-1);
  const likeLast = moments.filter((one) => one.kind === last?.kind && one.peer === last.peer);
  const [oldestLikeLast] = likeLast;
  const fair = likeLast.length > MAX_OF_ONE ? moments.filter((one) => one !== oldestLikeLast) : [...moments];
  return fair.slice(-MAX_MOMENTS);
}

function bounded({ text, ...rest }: Moment): Moment {
  const short = (value: string | undefined): string | undefined =>
    value === undefined ? undefined : plainLine(value, MAX_TEXT);
  const { peer, namespace, workload } = rest;
  return Object.fromEntries(
    Object.entries({
      ...rest,
      ...{ peer: short(peer), namespace: short(namespace), workload: short(workload), text: short(text) },
    }).filter(([, value]) => value !== undefined),
  ) as unknown as Moment;
}

/** What was stored; what is none of it is left out, since anybody who may could have written it. */
export function parseMoments(text: string | undefined): Moment[] {
  let list: unknown;
  try {
    list = JSON.parse(text ?? '[]');
  } catch {
    return [];
  }
  if (!Array.isArray(list)) return [];
  return list.slice(-MAX_MOMENTS).flatMap((one) => {
    const moment = momentFrom(one);
    return moment === undefined ? [] : [moment];
  });
}

function momentFrom(one: unknown): Moment | undefined {
  if (typeof one !== 'object' || one === null) return undefined;
  const { at, kind, ...rest } = one as Record<string, unknown>;
  if (typeof at !== 'string' || Number.isNaN(Date.parse(at))) return undefined;
  if (!MOMENT_KINDS.includes(kind as MomentKind)) return undefined;
  const texts = ['peer', 'namespace', 'workload', 'text'].filter((name) => typeof rest[name] === 'string');
  const numbers = ['pods', 'seconds', 'count'].filter((name) => Number.isFinite(rest[name]));
  const known = Object.fromEntries([...texts, ...numbers].map((name) => [name, rest[name]]));
  return bounded({ at, kind: kind as MomentKind, ...known });
}
