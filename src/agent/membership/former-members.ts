import { type FormerMember, firstOf, neededFormer, toFormer } from '../../core/membership/lineage.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';

/** Those that went, whichever way: who brought them in, for the sake of those that came in by their word. */
export class FormerMembers {
  #all = new Map<string, FormerMember>();

  get size(): number {
    return this.#all.size;
  }

  all(): ReadonlyMap<string, FormerMember> {
    return this.#all;
  }

  /** The first of them by whose word this one came in; undefined when it was brought in by a member. */
  originOf(id: string): string | undefined {
    return this.#all.has(id) ? firstOf(id, this.#all) : undefined;
  }

  /** A member went; to be kept (RemovedMembers.save) soon. @param members those that are left @param now ms since 1970 */
  went(record: PeerRecord, members: Iterable<PeerRecord>, now: number): void {
    this.#all.set(record.id, toFormer(record, this.#all, now));
    this.#all = new Map(neededFormer(this.#all, members, now).map((one) => [one.id, one]));
  }

  /** As it was kept. */
  restore(one: FormerMember): void {
    this.#all.set(one.id, one);
  }

  /** It is a member again. @returns whether it was one of them */
  delete(id: string): boolean {
    return this.#all.delete(id);
  }

  clear(): void {
    this.#all.clear();
  }
}
