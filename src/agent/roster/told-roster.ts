import type { PeerRecord } from '../../core/membership/peer-record.ts';
import {
  digestOfRoster,
  type RosterVersions,
  recordsMissingFrom,
  versionsOf,
} from '../../core/membership/roster-digest.ts';
import { isVouchedBy, signVouch } from '../../core/membership/signed-record.ts';
import type { MembersToTell, OwnIdentity } from '../ports.ts';

export interface ToldRosterDeps {
  own: OwnIdentity;
  /** Its key may be another one tomorrow. */
  identity: { key: string };
  members: MembersToTell;
}

/** What this member tells others about the members of the federation. */
export class ToldRoster {
  readonly #deps: ToldRosterDeps;
  /** A signature is looked at once; the voucher's certificate tells who it was that had signed. */
  readonly #vouched = new WeakMap<PeerRecord, { certificate: string | undefined; may: boolean; told: PeerRecord }>();
  #records: PeerRecord[] | undefined;
  #digest: string | undefined;

  constructor(deps: ToldRosterDeps) {
    this.#deps = deps;
  }

  /** A member came, went or changed. */
  changed(): void {
    this.#records = undefined;
    this.#digest = undefined;
  }

  /** The own record first. Each other one carries the voucher of a member that is in the list, or our own, but for those that a banned one brought in. */
  records(): PeerRecord[] {
    const { own, members } = this.#deps;
    this.#records ??= [own.record(), ...[...members.records().values()].map((record) => this.#withVoucher(record))];
    return this.#records;
  }

  /** All members, and the last words of those who left. */
  withLeft(): PeerRecord[] {
    return [...this.records(), ...this.#deps.members.removed.left()];
  }

  digest(): string {
    this.#digest ??= digestOfRoster(this.records());
    return this.#digest;
  }

  versions(): RosterVersions {
    const { members } = this.#deps;
    return versionsOf(this.records(), members.removed.lastWords(), members.refused());
  }

  missingFrom(versions: RosterVersions): PeerRecord[] {
    return recordsMissingFrom(versions, this.records(), this.#deps.members.removed.left());
  }

  #withVoucher(record: PeerRecord): PeerRecord {
    const { own, identity, members } = this.#deps;
    const by = record.vouch?.by ?? '';
    const voucher = by === own.id ? own.record() : members.records().get(by);
    const before = this.#vouched.get(record);
    const may = members.mayVouchFor(record);
    if (before?.certificate === voucher?.certificate && before?.may === may) return before.told;
    const isGood = voucher !== undefined && isVouchedBy(record, voucher);
    const origin = record.vouch?.origin ?? (voucher === undefined ? members.removed.originOf(by) : undefined) ?? by;
    const isOwn = by === own.id || by === '';
    const passedOn = signVouch(record.id, own.id, identity.key, isOwn ? undefined : origin);
    const told = isGood || !may ? record : { ...record, vouch: passedOn };
    this.#vouched.set(record, { certificate: voucher?.certificate, may, told });
    return told;
  }
}
