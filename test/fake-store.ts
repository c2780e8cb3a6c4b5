import { type KubeObject, objectKey } from '../src/core/kube-objects.ts';
import type { ChangeListener, Store } from '../src/kube/store.ts';

/** A cache that tests fill. */
export class FakeStore<T extends KubeObject> implements Store<T> {
  synced = true;
  readonly #objects = new Map<string, T>();
  readonly #listeners: ChangeListener<T>[] = [];

  constructor(objects: T[] = []) {
    for (const object of objects) this.#objects.set(objectKey(object), object);
  }

  whenSynced(): Promise<void> {
    return Promise.resolve();
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): T[] {
    return [...this.#objects.values()];
  }

  onChange(listener: ChangeListener<T>): void {
    this.#listeners.push(listener);
  }

  set(object: T): void {
    const key = objectKey(object);
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const listener of this.#listeners) listener(key, object, before);
  }

  delete(key: string): void {
    const before = this.#objects.get(key);
    this.#objects.delete(key);
    for (const listener of this.#listeners) listener(key, undefined, before);
  }
}
