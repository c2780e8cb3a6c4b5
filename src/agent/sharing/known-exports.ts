import { CodedError } from '../../core/coded-error.ts';
import { isEqual } from '../../core/is-equal.ts';
import { type Bucket, type RateLimit, takeTokens } from '../../core/rate-limit.ts';
import type { ServiceLimits } from '../../core/service/service-limits.ts';
import type { ExportsPart } from '../../core/sharing/told-changes.ts';
import { exportKey, type ToldExport } from '../../core/sharing/told-export.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface RefusedExport {
  namespace: string;
  name: string;
  reason: string;
  message: string;
}

interface Member {
  exports: Map<string, ToldExport>;
  endpoints: number;
  /** JSON of all exports, in characters. */
  chars: number;
  /** True once all was told, in this life of both agents. */
  complete: boolean;
  /** Keys that are not confirmed yet since it began anew; undefined when it is not at that. */
  unconfirmed: Set<string> | undefined;
}

/**
 * Each change becomes writes here. What a member has exported already is no change when it is told once more, so a member that
 * starts again costs nothing.
 */
const CHANGES: RateLimit = { perSecond: 50, burst: 2_000 };
const MAX_REFUSALS = 200;
/** JSON of all exports of one member, in characters: more than the default limits come to, and a bound for ports and texts, which these do not count. */
const MAX_CHARS = 4 * 1024 * 1024;

/** What the other members export, as they say: bounded for each, and kept in memory alone. */
export class KnownExports {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #limits: () => ServiceLimits;
  readonly #members = new Map<string, Member>();
  readonly #buckets = new Map<string, Bucket>();
  readonly #listeners: ((key: string) => void)[] = [];

  /** @param limits what each member may have here */
  constructor(clock: Pick<Clock, 'monotonic'>, limits: () => ServiceLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Called with the key of each export that is new, other or gone; with none when a member has told all. */
  onChange(listener: (key: string) => void): void {
    this.#listeners.push(listener);
  }

  /** Whether this member has said all that it exports. */
  isComplete(cluster: string): boolean {
    return this.#members.get(cluster)?.complete === true;
  }

  /** What members export under this name, by their IDs. */
  of(key: string): [string, ToldExport][] {
    return [...this.#members].flatMap(([cluster, { exports }]): [string, ToldExport][] => {
      const told = exports.get(key);
      return told === undefined ? [] : [[cluster, told]];
    });
  }

  /** Takes what a member says. Throws ResourceExhausted while it changes too much. @returns those that are not taken */
  take(cluster: string, part: ExportsPart): RefusedExport[] {
    const member = this.#memberFor(cluster);
    const changed = part.exports
      .map(withoutEmptyGroups)
      .filter((told) => !isEqual(member.exports.get(exportKey(told)), told));
    this.#pay(cluster, changed.length + (part.gone?.length ?? 0));
    if (part.begins === true) member.unconfirmed = new Set(member.exports.keys());
    for (const told of part.exports) member.unconfirmed?.delete(exportKey(told));
    for (const name of part.gone ?? []) this.#remove(member, exportKey(name));
    const refused = changed.flatMap((told) => this.#put(member, told));
    if (part.ends === true) this.#end(member);
    return refused.slice(0, MAX_REFUSALS);
  }

  /** It is no member any more. */
  forget(cluster: string): void {
    const member = this.#members.get(cluster);
    this.#members.delete(cluster);
    this.#buckets.delete(cluster);
    for (const key of member?.exports.keys() ?? []) this.#tell(key);
  }

  /** All names under which anything is exported. */
  keys(cluster?: string): string[] {
    const members = cluster === undefined ? [...this.#members.values()] : [this.#members.get(cluster)];
    return [...new Set(members.flatMap((member) => [...(member?.exports.keys() ?? [])]))];
  }

  #memberFor(cluster: string): Member {
    const known = this.#members.get(cluster);
    if (known !== undefined) return known;
    const member: Member = { exports: new Map(), endpoints: 0, chars: 0, complete: false, unconfirmed: undefined };
    this.#members.set(cluster, member);
    return member;
  }

  #pay(cluster: string, count: number): void {
    if (count === 0) return;
    const now = this.#clock.monotonic();
    const bucket = takeTokens(CHANGES, this.#buckets.get(cluster), { now, count, atLeast: 1 });
    if (bucket === undefined) {
      const message = `this member changes its exports faster than ${CHANGES.perSecond} times a second; tell them again in a moment`;
      throw new CodedError('ResourceExhausted', message);
    }
    this.#buckets.set(cluster, bucket);
  }

  #put(member: Member, told: ToldExport): RefusedExport[] {
    const key = exportKey(told);
    const before = member.exports.get(key);
    const endpoints = member.endpoints - countOf(before) + countOf(told);
    const chars = member.chars - charsOf(before) + charsOf(told);
    const isNew = before === undefined;
    const problem = problemOf({ services: isNew ? member.exports.size + 1 : 0, endpoints }, this.#limits(), chars);
    if (problem !== undefined) {
      // What it was before is not so any more.
      this.#remove(member, key);
      return [{ namespace: told.namespace, name: told.name, reason: 'TooMany', message: problem }];
    }
    member.exports.set(key, told);
    member.endpoints = endpoints;
    member.chars = chars;
    this.#tell(key);
    return [];
  }

  #remove(member: Member, key: string): void {
    const before = member.exports.get(key);
    member.unconfirmed?.delete(key);
    if (before === undefined) return;
    member.exports.delete(key);
    member.endpoints -= countOf(before);
    member.chars -= charsOf(before);
    this.#tell(key);
  }

  #end(member: Member): void {
    for (const key of member.unconfirmed ?? []) this.#remove(member, key);
    member.unconfirmed = undefined;
    if (member.complete) return;
    member.complete = true;
    this.#tell('');
  }

  #tell(key: string): void {
    for (const listener of this.#listeners) listener(key);
  }
}

function countOf(told: ToldExport | undefined): number {
  return (told?.endpoints ?? []).reduce((sum, { endpoints }) => sum + endpoints.length, 0);
}

function charsOf(told: ToldExport | undefined): number {
  return told === undefined ? 0 : JSON.stringify(told).length;
}

/** Ports without endpoints lead nowhere, and no limit counts them. */
function withoutEmptyGroups(told: ToldExport): ToldExport {
  return { ...told, endpoints: told.endpoints.filter(({ endpoints }) => endpoints.length > 0) };
}

/** Why a member may not have so much here; undefined where it may. */
function problemOf(used: ServiceLimits, limits: ServiceLimits, chars: number): string | undefined {
  for (const what of ['services', 'endpoints'] as const)
    if (used[what] > limits[what])
      return `there would be more than ${limits[what]} ${what} of this member there, which is the limit (guests.perMember.${what} of the Federation there)`;
  if (chars <= MAX_CHARS) return undefined;
  return 'all exports of this member would be more than 4 MiB there, which is the limit; export fewer Services, or with fewer ports and annotations';
}
