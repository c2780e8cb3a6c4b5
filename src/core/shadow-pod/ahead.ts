import type { ObjectReference } from '../reflection/references.ts';

/** A pod comes right after the last part; who is slower begins anew. */
const KEPT_MS = 60_000;
/** Pods of one consumer for which parts are kept at once. */
const MAX_PODS = 32;

interface Kept {
  member: string;
  twin: string;
  /** `kind/name`, as at home. */
  objects: Set<string>;
  /** Monotonic ms. */
  until: number;
}

/** What was sent ahead of pods that were not taken yet. In memory alone: after a restart it is sent again. */
export class SentAhead {
  /** By `guestKey`. */
  readonly #kept = new Map<string, Kept>();

  /** Whether there is room for another pod of this consumer. */
  hasRoomFor(key: string, member: string, now: number): boolean {
    this.#drop(now);
    if (this.#kept.has(key)) return true;
    return [...this.#kept.values()].filter((one) => one.member === member).length < MAX_PODS;
  }

  note(
    key: string,
    { member, twin }: { member: string; twin: string },
    objects: readonly ObjectReference[],
    now: number,
  ): void {
    const kept = this.#kept.get(key) ?? { member, twin, objects: new Set<string>(), until: 0 };
    for (const one of objects) kept.objects.add(nameOf(one));
    kept.until = now + KEPT_MS;
    this.#kept.set(key, kept);
  }

  /** Those of the references that are not known to be here. */
  missing(key: string, references: readonly ObjectReference[], now: number): ObjectReference[] {
    this.#drop(now);
    const known = this.#kept.get(key)?.objects;
    return references.filter((one) => known?.has(nameOf(one)) !== true);
  }

  /** Something for a pod that did not come yet lies in this twin namespace. */
  isIn(twin: string, now: number): boolean {
    this.#drop(now);
    return [...this.#kept.values()].some((one) => one.twin === twin);
  }

  /** The pod is there, or comes no more. */
  forget(key: string): void {
    this.#kept.delete(key);
  }

  /** The twin namespace is gone, with what lay in it. */
  forgetTwin(twin: string): void {
    for (const [key, one] of this.#kept) if (one.twin === twin) this.#kept.delete(key);
  }

  #drop(now: number): void {
    for (const [key, { until }] of this.#kept) if (until <= now) this.#kept.delete(key);
  }
}

function nameOf({ kind, name }: ObjectReference): string {
  return `${kind}/${name}`;
}
