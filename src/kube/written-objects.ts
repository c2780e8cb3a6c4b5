import { type KubeObject, objectKey } from '../core/kube-objects.ts';
import type { Store } from './store.ts';

/**
 * A cache together with what was written to the API server and has not come back by the watch yet, so that a plan made right
 * after a write does not ask for the same once more.
 */
export class WrittenObjects<T extends KubeObject> {
  readonly #store: Store<T>;
  /** By key; undefined for what was deleted. */
  readonly #written = new Map<string, { object: T | undefined; version: bigint }>();

  constructor(store: Store<T>) {
    this.#store = store;
    store.onChange((key, after) => {
      const written = this.#written.get(key);
      if (written === undefined) return;
      const isNewer = after === undefined ? written.object === undefined : versionOf(after) >= written.version;
      if (isNewer) this.#written.delete(key);
    });
  }

  /** One object, as it was written or as it is known. */
  get(key: string): T | undefined {
    const written = this.#written.get(key);
    return written === undefined ? this.#store.get(key) : written.object;
  }

  /** All objects of a namespace. */
  list(namespace: string): T[] {
    const isThere = (object: T): boolean => object.metadata.namespace === namespace;
    const known = this.#store.list().filter((object) => isThere(object) && !this.#written.has(objectKey(object)));
    const written = [...this.#written.values()].flatMap(({ object }) => (object === undefined ? [] : [object]));
    return [...known, ...written.filter(isThere)];
  }

  /** What the API server answered to a write. */
  note(object: T): void {
    const key = objectKey(object);
    const version = versionOf(object);
    const known = this.#store.get(key);
    if (known !== undefined && versionOf(known) >= version) this.#written.delete(key);
    else this.#written.set(key, { object, version });
  }

  noteDeleted(object: T): void {
    const key = objectKey(object);
    if (this.#store.get(key) === undefined) this.#written.delete(key);
    else this.#written.set(key, { object: undefined, version: versionOf(object) });
  }

  /** To be called after a failed write: the cache alone counts again, and what is true will come by the watch. */
  forget(object: KubeObject): void {
    this.#written.delete(objectKey(object));
  }
}

/** Versions of one kind are numbers that grow (KEP-5504). */
function versionOf({ metadata: { resourceVersion = '' } }: KubeObject): bigint {
  return /^\d+$/.test(resourceVersion) ? BigInt(resourceVersion) : 0n;
}
