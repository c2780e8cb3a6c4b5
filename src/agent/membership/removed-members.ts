import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { versionOf } from '../../core/membership/record-version.ts';
import { isByKeyOf } from '../../core/membership/roster.ts';

/** A member that was removed here by hand (its ID), or one that left, by its own last record. */
export type RemovedMember = string | PeerRecord;

export interface RemovedMembersStore {
  load(): RemovedMember[];
  save(entries: RemovedMember[]): Promise<void>;
}

/** More removed members than this are not remembered: by hand an ID is kept, of those that left a whole record. */
const MAX_FORGOTTEN = 500;
const MAX_LEFT = 100;

/**
 * Members that are none any more, kept over restarts, so that nobody who did not hear of it brings them back. Who left comes
 * back with a newer record of its own; who was removed by hand only by a new invitation.
 */
export class RemovedMembers {
  readonly #store: RemovedMembersStore;
  readonly #forgotten: Set<string>;
  readonly #left: Map<string, PeerRecord>;

  constructor(store: RemovedMembersStore) {
    this.#store = store;
    const entries = store.load();
    this.#forgotten = new Set(entries.filter((entry) => typeof entry === 'string'));
    this.#left = new Map(entries.flatMap((entry) => (typeof entry === 'string' ? [] : [[entry.id, entry]])));
  }

  has(id: string): boolean {
    return this.#forgotten.has(id) || this.#left.has(id);
  }

  /** True for a member that was removed here by hand. */
  isForgotten(id: string): boolean {
    return this.#forgotten.has(id);
  }

  /** True when a record is about a removed member, and says nothing that brings it back. */
  refuses(record: PeerRecord): boolean {
    const left = this.#left.get(record.id);
    if (left === undefined) return this.#forgotten.has(record.id);
    return this.#forgotten.has(record.id) || versionOf(record) <= versionOf(left) || !isByKeyOf(record, left);
  }

  /** The last words of those who left, for members that did not hear them. */
  left(): PeerRecord[] {
    return [...this.#left.values()];
  }

  /** IDs of those who were removed here by hand. */
  forgotten(): Iterable<string> {
    return this.#forgotten;
  }

  forget(id: string): Promise<void> {
    this.#forgotten.add(id);
    for (const old of this.#forgotten) if (this.#forgotten.size > MAX_FORGOTTEN) this.#forgotten.delete(old);
    return this.#save();
  }

  leave(record: PeerRecord): Promise<void> {
    this.#left.delete(record.id);
    this.#left.set(record.id, record);
    for (const old of this.#left.keys()) if (this.#left.size > MAX_LEFT) this.#left.delete(old);
    return this.#save();
  }

  /** They are members again, or may become ones. */
  async welcome(ids: readonly string[]): Promise<void> {
    const found = ids.filter((id) => this.has(id));
    if (found.length === 0) return;
    for (const id of found) {
      this.#forgotten.delete(id);
      this.#left.delete(id);
    }
    await this.#save();
  }

  /** Whoever left has nothing to remember of a federation that it may join anew. */
  async clear(): Promise<void> {
    if (this.#forgotten.size + this.#left.size === 0) return;
    this.#forgotten.clear();
    this.#left.clear();
    await this.#save();
  }

  #save(): Promise<void> {
    return this.#store.save([...this.#forgotten, ...this.#left.values()]);
  }
}
