import { bringersOf, type FormerMember, isCounted } from './lineage.ts';
import type { PeerRecord } from './peer-record.ts';

/** With the own record, as many as a roster on the wire holds. */
const MAX_MEMBERS = 499;
/**
 * How many members there are by the word of others alone until somebody says more: each is a node, a lease and a link here. A
 * federation of fifty that all joined through one of them needs 48.
 */
export const DEFAULT_VOUCHED_LIMIT = 128;

/** How many other members there can be: of all, of those by the word of others, and of those that one of them brought in. */
export interface MemberLimits {
  members: number;
  byOthers: number;
  broughtIn: number;
  broughtInByOwn: number;
}

/**
 * One member may bring in half of those that come by the word of others, with all that those bring in, so that one that vouches
 * for whom it invents leaves room for others; those that this member itself let in, or through whom it came in, four fifths: most others hang on them.
 */
export function limitsFrom(byOthers = DEFAULT_VOUCHED_LIMIT): MemberLimits {
  return {
    members: MAX_MEMBERS,
    byOthers,
    broughtIn: Math.floor(byOthers / 2),
    broughtInByOwn: Math.floor((byOthers * 4) / 5),
  };
}

/** Members that are none any more, and the time (ms since 1970). */
export interface GoneMembers {
  former: ReadonlyMap<string, FormerMember>;
  now: number;
  /** IDs of those that this member banned with all whom they brought in: these count against nobody else, unlike those that left. */
  dismissed?: readonly string[];
}

/** Who came in by whose word, also by that of members that are none any more, and how many by each. */
export class VoucherTree {
  readonly #members: Map<string, PeerRecord>;
  readonly #former: ReadonlyMap<string, FormerMember>;
  readonly #ownId: string;
  readonly #limits: MemberLimits;
  readonly #counts = new Map<string, number>();
  #byOthers = 0;

  constructor(
    members: ReadonlyMap<string, PeerRecord>,
    ownId: string,
    limits: Partial<MemberLimits> = {},
    { former, now, dismissed = [] }: GoneMembers = { former: new Map(), now: 0 },
  ) {
    this.#members = new Map(members);
    this.#former = former;
    this.#ownId = ownId;
    this.#limits = { ...limitsFrom(limits.byOthers), ...limits };
    for (const record of members.values()) this.#count(bringersOf(record));
    const isDismissed = ({ id, by }: FormerMember): boolean =>
      dismissed.length > 0 && [id, ...this.#ancestorsOf(by)].some((one) => dismissed.includes(one));
    for (const one of former.values())
      if (!members.has(one.id) && isCounted(one, now) && !isDismissed(one)) this.#count(one.by);
  }

  /**
   * Why a newcomer cannot come in; undefined when it can.
   * @param isWanted this member itself lets it in, or takes a federation as it is, which it joins
   */
  problemOf(newcomer: PeerRecord, isWanted: boolean): string | undefined {
    return this.impossibilityOf(newcomer, isWanted) ?? (isWanted ? undefined : this.#limitFor(newcomer));
  }

  /** Why it cannot come in whatever this cluster's administrator says. */
  impossibilityOf(newcomer: PeerRecord, isWanted: boolean): string | undefined {
    const { members } = this.#limits;
    if (this.#members.size >= members) return `there are ${members} other members already`;
    if (isWanted) return undefined;
    const by = newcomer.vouch?.by ?? '';
    if (by !== this.#ownId && !this.#members.has(by)) return 'the member that vouches for it was not let in itself';
    return undefined;
  }

  /** IDs of those by whose word a member came in, and by whose word they did, the nearest first. */
  lineageOf(record: PeerRecord): string[] {
    return this.#ancestorsOf(bringersOf(record));
  }

  /** It came in. */
  add(record: PeerRecord): void {
    this.#members.set(record.id, record);
    this.#count(bringersOf(record));
  }

  #limitFor(newcomer: PeerRecord): string | undefined {
    const { broughtIn, broughtInByOwn, byOthers } = this.#limits;
    for (const id of this.lineageOf(newcomer)) {
      const limit = this.#bringersOf(id).includes(this.#ownId) ? broughtInByOwn : broughtIn;
      if ((this.#counts.get(id) ?? 0) < limit) continue;
      const name = this.#members.get(id)?.name ?? `the former member ${id.slice(0, 12)}`;
      return `${name} and those it brought in vouch for ${limit} members already, which is the most for one; let another member invite it`;
    }
    if (newcomer.vouch?.by === this.#ownId || this.#byOthers < byOthers) return undefined;
    return `there are ${byOthers} members by the word of others, or were within the last hour, which is the limit here (spec.vouchedLimit of the Federation)`;
  }

  #count(bringers: readonly string[]): void {
    if (bringers[0] !== this.#ownId) this.#byOthers += 1;
    for (const id of this.#ancestorsOf(bringers)) this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  #bringersOf(id: string): string[] {
    const member = this.#members.get(id);
    return member === undefined ? (this.#former.get(id)?.by ?? []) : bringersOf(member);
  }

  /** Up to this member, or those that nobody vouched for. */
  #ancestorsOf(bringers: readonly string[]): string[] {
    const found = new Set<string>();
    const open = [...bringers];
    for (let id = open.shift(); id !== undefined; id = open.shift()) {
      if (id === this.#ownId || found.has(id)) continue;
      found.add(id);
      open.push(...this.#bringersOf(id));
    }
    return [...found];
  }
}
