import { CodedError } from '../../core/coded-error.ts';
import type { FederationObject, PendingMember } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';

/** More are not kept: they are told again with each roster. */
const MAX_PENDING = 100;
/** One member that vouches for many leaves room for those of others. */
const MAX_PENDING_BY_ONE = 25;

/** Whether newcomers that others admitted become members here at once, or wait for `headcut approve`. */
export class AdmissionGate {
  readonly #federation: () => FederationObject | undefined;
  readonly #pending = new Map<string, PeerRecord>();
  readonly #listeners: (() => void)[] = [];

  constructor(federation: () => FederationObject | undefined) {
    this.#federation = federation;
  }

  /** IDs of clusters that are kept out here. */
  banned(): readonly string[] {
    return this.#federation()?.spec?.banned ?? [];
  }

  /** Throws FailedPrecondition when the cluster is kept out here. */
  mustNotBeBanned({ id, name }: PeerRecord, ownName: string): void {
    if (!this.banned().includes(id)) return;
    const message = `${ownName} banned the cluster ${name}; headcut unban ${id.slice(0, 12)} on ${ownName} ends that`;
    throw new CodedError('FailedPrecondition', message);
  }

  /** @returns whether the newcomer may come in now; else it is kept waiting */
  admits(record: PeerRecord): boolean {
    const { admission, approved = [] } = this.#federation()?.spec ?? {};
    if (admission !== 'Manual' || approved.includes(record.id)) {
      if (this.#pending.delete(record.id)) this.#changed();
      return true;
    }
    const before = this.#pending.get(record.id);
    if (before === undefined && !this.#hasRoomFor(record)) return false;
    this.#pending.set(record.id, record);
    if (before?.name !== record.name) this.#changed();
    return false;
  }

  #hasRoomFor({ vouch }: PeerRecord): boolean {
    const bySame = [...this.#pending.values()].filter((one) => one.vouch?.by === vouch?.by);
    return this.#pending.size < MAX_PENDING && bySame.length < MAX_PENDING_BY_ONE;
  }

  /** Records that may come in by now. */
  takeApproved(): PeerRecord[] {
    return [...this.#pending.values()].filter((record) => this.admits(record));
  }

  pending(): PendingMember[] {
    return [...this.#pending.values()]
      .filter(({ id }) => !this.banned().includes(id))
      .map(({ id, name, vouch }) => ({ id, name, vouchedBy: vouch?.by ?? '' }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
