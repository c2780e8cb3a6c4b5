import { CodedError } from '../../core/coded-error.ts';
import type { FederationObject, PendingMember } from '../../core/membership/peer-object.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';

/** More are not kept: they are told again with each roster. */
const MAX_PENDING = 100;
/** One member that vouches for many leaves room for those of others. */
const MAX_PENDING_BY_ONE = 25;

interface Waiting {
  record: PeerRecord;
  /** Why, where that is not that admission is manual. */
  reason: string | undefined;
}

/** Whether newcomers that others admitted become members here at once, or wait for `headcut approve`. */
export class AdmissionGate {
  readonly #federation: () => FederationObject | undefined;
  readonly #pending = new Map<string, Waiting>();
  readonly #listeners: (() => void)[] = [];
  #knownBan = '';

  constructor(federation: () => FederationObject | undefined) {
    this.#federation = federation;
  }

  /** IDs of clusters that are kept out here. */
  banned(): readonly string[] {
    return this.#federation()?.spec?.banned ?? [];
  }

  /** True when others are banned than when this was asked last. */
  isOtherBan(): boolean {
    const banned = this.banned().join();
    const isOther = banned !== this.#knownBan;
    this.#knownBan = banned;
    return isOther;
  }

  /** Those of them whose newcomers are kept out as well. */
  bannedWithNewcomers(): readonly string[] {
    return this.#federation()?.spec?.bannedNewcomers ?? [];
  }

  /** How many members there may be by the word of others alone; undefined where the Federation does not say it. */
  vouchedLimit(): number | undefined {
    return this.#federation()?.spec?.vouchedLimit;
  }

  isApproved(id: string): boolean {
    return this.#federation()?.spec?.approved?.includes(id) === true;
  }

  /** Throws FailedPrecondition when the cluster is kept out here. */
  mustNotBeBanned({ id, name }: PeerRecord, ownName: string): void {
    if (!this.banned().includes(id)) return;
    const message = `${ownName} banned the cluster ${name}; headcut unban ${id.slice(0, 12)} on ${ownName} ends that`;
    throw new CodedError('FailedPrecondition', message);
  }

  /**
   * @param reason why it has to wait, whatever the Federation says of admission
   * @returns whether the newcomer may come in now; else it is kept waiting
   */
  admits(record: PeerRecord, reason?: string): boolean {
    if (this.mayEnter(record, reason)) {
      this.release(record.id);
      return true;
    }
    const before = this.#pending.get(record.id);
    if (before === undefined && !this.hasRoomFor(record)) return false;
    this.#pending.set(record.id, { record, reason });
    if (before?.record.name !== record.name || before.reason !== reason) this.#changed();
    return false;
  }

  mayEnter({ id }: PeerRecord, reason?: string): boolean {
    return this.isApproved(id) || (reason === undefined && this.#federation()?.spec?.admission !== 'Manual');
  }

  /** The very same waits already. */
  isWaiting({ id, signature, vouch }: PeerRecord): boolean {
    const before = this.#pending.get(id)?.record;
    return before !== undefined && before.signature === signature && before.vouch?.signature === vouch?.signature;
  }

  hasRoomFor({ id, vouch }: PeerRecord): boolean {
    if (this.#pending.has(id)) return true;
    const bySame = [...this.#pending.values()].filter(({ record }) => record.vouch?.by === vouch?.by);
    return this.#pending.size < MAX_PENDING && bySame.length < MAX_PENDING_BY_ONE;
  }

  /** Records of those that wait. */
  waiting(): PeerRecord[] {
    return [...this.#pending.values()].map(({ record }) => record);
  }

  /** It waits no more. */
  release(id: string): void {
    if (this.#pending.delete(id)) this.#changed();
  }

  pending(): PendingMember[] {
    return [...this.#pending.values()]
      .filter(({ record }) => !this.banned().includes(record.id))
      .map(({ record: { id, name, vouch }, reason }) => ({
        ...{ id, name, vouchedBy: vouch?.by ?? '' },
        ...(reason === undefined ? {} : { reason }),
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
