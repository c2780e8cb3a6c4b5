import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { limitsFrom, type MemberLimits, VoucherTree } from '../../core/membership/voucher-tree.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { AdmissionGate } from './admission-gate.ts';
import type { FormerMembers } from './former-members.ts';

export interface LineageDeps {
  ownId: string;
  /** Records of the other members that can be used. */
  members(): ReadonlyMap<string, PeerRecord>;
  former: Pick<FormerMembers, 'all'>;
  gate: AdmissionGate;
  limits: Partial<MemberLimits>;
  clock: Clock;
}

/** Who went some time ago counts no more. */
const RENEW_AFTER_MS = 60_000;
/** How many of those by whose word a member came in are named in its Peer object. */
const MAX_NAMED = 16;

/** By whose word each member came in, and what follows from that. */
export class Lineage {
  readonly #deps: LineageDeps;
  #tree: { tree: VoucherTree; settings: string; at: number } | undefined;

  constructor(deps: LineageDeps) {
    this.#deps = deps;
  }

  /** A member went, or is another one. */
  changed(): void {
    this.#tree = undefined;
  }

  add(record: PeerRecord): void {
    this.#tree?.tree.add(record);
  }

  /** Why a newcomer cannot come in now, also not to wait for approval: nothing of it needs to be verified. */
  hopelessnessOf(newcomer: PeerRecord, isWanted: boolean): string | undefined {
    const { gate } = this.#deps;
    const isMeant = isWanted || gate.isApproved(newcomer.id);
    const impossible = this.#current().impossibilityOf(newcomer, isMeant);
    if (impossible !== undefined || isMeant || gate.hasRoomFor(newcomer)) return impossible;
    return this.limitFor(newcomer);
  }

  /** Why a newcomer has to wait until this cluster's administrator lets it in. */
  limitFor(newcomer: PeerRecord): string | undefined {
    return this.#current().problemOf(newcomer, this.#deps.gate.isApproved(newcomer.id));
  }

  /** Those that waited and may come in by now; each is asked about when the one before it came in. */
  *release(): Generator<PeerRecord, void> {
    const { gate } = this.#deps;
    for (const record of gate.waiting()) {
      if (!gate.mayEnter(record, this.limitFor(record))) continue;
      gate.release(record.id);
      yield record;
    }
  }

  /** True when it is banned, or came in by the word of one that is banned with its newcomers, and was not approved. */
  isKeptOut(record: PeerRecord): boolean {
    const { gate, ownId } = this.#deps;
    if (gate.banned().includes(record.id)) return true;
    const bringers = gate.bannedWithNewcomers();
    if (bringers.length === 0 || gate.isApproved(record.id) || record.vouch?.by === ownId) return false;
    return this.#current()
      .lineageOf(record)
      .some((id) => bringers.includes(id));
  }

  /** True when it is kept out for the sake of one by whose word it came in. */
  isKeptOutWithAnother(record: PeerRecord): boolean {
    return !this.#deps.gate.banned().includes(record.id) && this.isKeptOut(record);
  }

  /** Whether this member vouches for one that it did not let in itself: not for those that a banned one brought in. */
  mayVouchFor(record: PeerRecord): boolean {
    const { gate } = this.#deps;
    const banned = gate.banned();
    if (banned.length === 0 || gate.isApproved(record.id)) return true;
    return !this.#current()
      .lineageOf(record)
      .some((id) => banned.includes(id));
  }

  /** IDs of those by whose word it came in, the nearest first; of very many the nearest. */
  of(record: PeerRecord): string[] {
    if (record.vouch?.by === this.#deps.ownId) return [this.#deps.ownId];
    return this.#current().lineageOf(record).slice(0, MAX_NAMED);
  }

  #current(): VoucherTree {
    const { ownId, members, former, gate, limits, clock } = this.#deps;
    const limit = gate.vouchedLimit();
    const at = clock.monotonic();
    const dismissed = gate.bannedWithNewcomers();
    const settings = JSON.stringify([limit, dismissed]);
    if (this.#tree === undefined || this.#tree.settings !== settings || at - this.#tree.at > RENEW_AFTER_MS) {
      const all = { ...limitsFrom(limit), ...limits };
      const gone = { former: former.all(), now: clock.now(), dismissed };
      const tree = new VoucherTree(members(), ownId, all, gone);
      this.#tree = { tree, settings, at };
    }
    return this.#tree.tree;
  }
}
