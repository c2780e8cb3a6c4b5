import type { PeerRecord } from './peer-record.ts';

/** With the own record, as many as a roster on the wire holds. */
const MAX_MEMBERS = 499;
/**
 * How many newcomers one member may bring in, together with all that those bring in: half of what there can be, so that one
 * that vouches for whom it invents leaves room for others.
 */
const MAX_BROUGHT_IN = 250;
/** The same for those whom this member itself let in, or through whom it came in: most others hang on them. */
const MAX_BROUGHT_IN_BY_OWN = 400;

/** How many other members there can be: of all, and of those that one of them brought in. */
export interface MemberLimits {
  members: number;
  broughtIn: number;
  broughtInByOwn: number;
}

/** Who vouched for whom, and how many came in by that; for as long as a few records are looked at. */
export class VoucherTree {
  readonly #members: Map<string, PeerRecord>;
  readonly #ownId: string;
  readonly #limits: MemberLimits;
  readonly #counts = new Map<string, number>();

  constructor(members: ReadonlyMap<string, PeerRecord>, ownId: string, limits: Partial<MemberLimits> = {}) {
    this.#members = new Map(members);
    this.#ownId = ownId;
    this.#limits = {
      members: MAX_MEMBERS,
      broughtIn: MAX_BROUGHT_IN,
      broughtInByOwn: MAX_BROUGHT_IN_BY_OWN,
      ...limits,
    };
    for (const record of members.values()) this.#count(record);
  }

  /**
   * Why a newcomer cannot come in; undefined when it can.
   * @param isWanted this member itself lets it in, or takes a federation as it is, which it joins
   */
  problemOf(newcomer: PeerRecord, isWanted: boolean): string | undefined {
    const { members } = this.#limits;
    if (this.#members.size >= members) return `there are ${members} other members already`;
    if (isWanted) return undefined;
    const by = newcomer.vouch?.by ?? '';
    if (by !== this.#ownId && !this.#members.has(by)) return 'the member that vouches for it was not let in itself';
    for (const voucher of this.#vouchersOf(newcomer)) {
      const { broughtIn, broughtInByOwn } = this.#limits;
      const limit = voucher.vouch?.by === this.#ownId ? broughtInByOwn : broughtIn;
      if ((this.#counts.get(voucher.id) ?? 0) >= limit)
        return `${voucher.name} and those it brought in vouch for ${limit} members already, which is the most for one; let another member invite it`;
    }
    return undefined;
  }

  /** It came in. */
  add(record: PeerRecord): void {
    this.#members.set(record.id, record);
    this.#count(record);
  }

  #count(record: PeerRecord): void {
    for (const { id } of this.#vouchersOf(record)) this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  /** The member that vouched for it, the one that vouched for that, and so on up to this member, or one that nobody vouched for. */
  #vouchersOf(record: PeerRecord): PeerRecord[] {
    const found = new Set<PeerRecord>();
    let voucher = this.#members.get(record.vouch?.by ?? '');
    while (voucher !== undefined && voucher.id !== this.#ownId && !found.has(voucher)) {
      found.add(voucher);
      voucher = this.#members.get(voucher.vouch?.by ?? '');
    }
    return [...found];
  }
}
