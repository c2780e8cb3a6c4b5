import { isAfter, type LastWord, lastWordOf } from '../../core/membership/last-word.ts';
import type { FormerMember } from '../../core/membership/lineage.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { versionOf } from '../../core/membership/record-version.ts';
import { FormerMembers } from './former-members.ts';

/** A member that was removed here by hand (its ID), or one that left; and who brought in those that are gone. Formerly the whole last record. */
export type RemovedMember = string | PeerRecord | LastWord | FormerMember;

export interface RemovedMembersStore {
  load(): RemovedMember[];
  save(entries: RemovedMember[]): Promise<void>;
}

/** More removed members than this are not remembered: about 55 bytes each by hand, 140 of those that left. */
const MAX_FORGOTTEN = 500;
const MAX_LEFT = 500;
/** Of last records in all: a Secret holds 1 MiB, and a record of a member that replaced its key for years is 13 kB. */
const MAX_RECORD_CHARS = 64 * 1024;

/**
 * Members that are none any more, kept over restarts, so that nobody who did not hear of it brings them back. Who left comes
 * back with a newer record of its own; who was removed by hand only by a new invitation.
 */
export class RemovedMembers {
  /** Who brought in those that are gone; kept with the others. */
  readonly former = new FormerMembers();
  readonly #store: RemovedMembersStore;
  readonly #forgotten = new Set<string>();
  readonly #left = new Map<string, LastWord>();

  constructor(store: RemovedMembersStore) {
    this.#store = store;
    for (const entry of store.load()) {
      if (typeof entry === 'string') this.#forgotten.add(entry);
      else if ('certificate' in entry) this.#keep(entry);
      else if ('version' in entry) this.#left.set(entry.id, entry);
      else this.former.restore(entry);
    }
    this.#shorten();
  }

  has(id: string): boolean {
    const left = this.#left.get(id);
    return this.#forgotten.has(id) || (left !== undefined && left.back !== true);
  }

  /** True for a member that was removed here by hand. */
  isForgotten(id: string): boolean {
    return this.#forgotten.has(id);
  }

  /** True when a record is about a removed member, and says nothing that brings it back. What it says of its keys is not verified. */
  refuses(record: PeerRecord): boolean {
    const left = this.#left.get(record.id);
    return this.#forgotten.has(record.id) || (left !== undefined && !isAfter(record, left));
  }

  /** The last words of those who left lately, for members that did not hear them. */
  left(): PeerRecord[] {
    return [...this.#left.values()].flatMap(({ record }) => record ?? []);
  }

  /** Of all that left. */
  lastWords(): LastWord[] {
    return [...this.#left.values()];
  }

  /** IDs of those who were removed here by hand. */
  forgotten(): Iterable<string> {
    return this.#forgotten;
  }

  forget(id: string): Promise<void> {
    this.#forgotten.add(id);
    for (const old of this.#forgotten) if (this.#forgotten.size > MAX_FORGOTTEN) this.#forgotten.delete(old);
    return this.save();
  }

  leave(record: PeerRecord): Promise<void> {
    this.#keep(record);
    this.#shorten();
    return this.save();
  }

  /** True for a last word that was known when its member was let in again. */
  isOutlived(record: PeerRecord): boolean {
    const left = this.#left.get(record.id);
    return left?.back === true && versionOf(record) <= left.version;
  }

  /** It is a member again, by this record. */
  async welcomeBack(record: PeerRecord): Promise<void> {
    const left = this.#left.get(record.id);
    if (left?.record === undefined || left.version < versionOf(record)) return this.welcome([record.id]);
    this.#left.set(record.id, { ...left, back: true });
    this.#forgotten.delete(record.id);
    this.former.delete(record.id);
    await this.save();
  }

  /** They are members again, or may become ones. */
  async welcome(ids: readonly string[]): Promise<void> {
    const found = ids.filter((id) => this.has(id) || this.#left.has(id) || this.former.all().has(id));
    if (found.length === 0) return;
    for (const id of found) {
      this.#forgotten.delete(id);
      this.#left.delete(id);
      this.former.delete(id);
    }
    await this.save();
  }

  /** Whoever left has nothing to remember of a federation that it may join anew. */
  async clear(): Promise<void> {
    if (this.#forgotten.size + this.#left.size + this.former.size === 0) return;
    this.#forgotten.clear();
    this.#left.clear();
    this.former.clear();
    await this.save();
  }

  #keep(record: PeerRecord): void {
    this.#left.delete(record.id);
    this.#left.set(record.id, lastWordOf(record));
  }

  /** Who left last is told about longest. */
  #shorten(): void {
    for (const old of this.#left.keys()) if (this.#left.size > MAX_LEFT) this.#left.delete(old);
    let chars = 0;
    for (const word of [...this.#left.values()].reverse()) {
      if (word.record === undefined) continue;
      chars += JSON.stringify(word.record).length;
      const { record: _, ...rest } = word;
      if (chars > MAX_RECORD_CHARS) this.#left.set(word.id, rest);
    }
  }

  save(): Promise<void> {
    return this.#store.save([...this.#forgotten, ...this.#left.values(), ...this.former.all().values()]);
  }
}
