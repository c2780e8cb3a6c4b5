import type { PeerRecord } from './peer-record.ts';

/** A member that is none any more, as far as it matters for those that came in by its word. */
export interface FormerMember {
  id: string;
  /** IDs of the members by whose word it came in. */
  by: string[];
  /** When it went, ms since 1970. */
  at: number;
}

/** For so long who went counts as if it were there, for those by whose word it came in: or leaving would make room for the next. */
export const COUNTED_FOR_MS = 3_600_000;
/** Some for each member that there can be. */
const MAX_FORMER = 1_000;

/** IDs of those by whose word a member came in; of two, one passed on the word of the other, that is no member there any more. */
export function bringersOf({ vouch }: Pick<PeerRecord, 'vouch'>): string[] {
  if (vouch === undefined) return [];
  return vouch.origin === undefined ? [vouch.by] : [vouch.by, vouch.origin];
}

/** What is to be kept of a member that goes. Of those before it that are gone already the first one stands for all. */
export function toFormer(
  record: Pick<PeerRecord, 'id' | 'vouch'>,
  former: ReadonlyMap<string, FormerMember>,
  now: number,
): FormerMember {
  return { id: record.id, by: [...new Set(bringersOf(record).map((by) => firstOf(by, former)))], at: now };
}

/** The first of a row of former members that brought each other in. */
export function firstOf(id: string, former: ReadonlyMap<string, FormerMember>): string {
  const seen = new Set<string>();
  let first = id;
  for (let next: string | undefined = id; next !== undefined && !seen.has(next); ) {
    seen.add(next);
    first = next;
    next = former.get(next)?.by.find((by) => former.has(by));
  }
  return first;
}

/** Those that are still needed: who went lately, and those on whom members hang. */
export function neededFormer(
  former: ReadonlyMap<string, FormerMember>,
  members: Iterable<PeerRecord>,
  now: number,
): FormerMember[] {
  const needed = new Set<FormerMember>();
  const open = [...members].flatMap(bringersOf);
  for (const one of former.values()) if (isCounted(one, now)) open.push(one.id);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const one = former.get(id);
    if (one === undefined || needed.has(one)) continue;
    needed.add(one);
    open.push(...one.by);
  }
  return [...needed].sort((a, b) => b.at - a.at).slice(0, MAX_FORMER);
}

/** Whether it went so lately that it still counts. */
export function isCounted({ at }: FormerMember, now: number): boolean {
  return Math.abs(now - at) < COUNTED_FOR_MS;
}
