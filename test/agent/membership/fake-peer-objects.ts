import type { KubeObject } from '../../../src/core/kube-objects.ts';
import type { PeerObject } from '../../../src/core/membership/peer-object.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import type { ChangeListener, Store } from '../../../src/kube/store.ts';

type PeerClientPort = Pick<KubeClient, 'get' | 'create' | 'patch' | 'delete'>;

/** The Peer objects of one cluster: store and client in one, changes told in the next turn as a watch does. */
export class FakePeerObjects implements Store<PeerObject>, PeerClientPort {
  readonly synced = true;
  writes = 0;
  readonly #objects = new Map<string, PeerObject>();
  #listeners: ChangeListener<PeerObject>[] = [];
  #uid = 0;

  whenSynced(): Promise<void> {
    return Promise.resolve();
  }

  list(): PeerObject[] {
    return [...this.#objects.values()];
  }

  onChange(listener: ChangeListener<PeerObject>): void {
    this.#listeners.push(listener);
  }

  get(key: string): PeerObject | undefined;
  get<T extends KubeObject>(type: unknown, address: { name?: string | undefined }): Promise<T>;
  get(keyOrType: unknown, address?: { name?: string | undefined }): unknown {
    if (address === undefined) return this.#objects.get(String(keyOrType));
    const found = this.#objects.get(address.name ?? '');
    return found === undefined ? Promise.reject(new ApiError(404, {})) : Promise.resolve(found);
  }

  create<T extends KubeObject>(_type: unknown, object: T): Promise<T> {
    const { name } = object.metadata;
    if (this.#objects.has(name)) return Promise.reject(new ApiError(409, { reason: 'AlreadyExists' }));
    this.#uid += 1;
    const created = { ...object, metadata: { name, uid: `uid-${this.#uid}` } } as unknown as PeerObject;
    this.#set(name, created);
    return Promise.resolve(created as unknown as T);
  }

  patch<T extends KubeObject>(_type: unknown, address: { name: string }, patch: unknown): Promise<T> {
    const before = this.#objects.get(address.name);
    if (before === undefined) return Promise.reject(new ApiError(404, {}));
    const after = { ...before, ...(patch as object) };
    this.#set(address.name, after);
    return Promise.resolve(after as unknown as T);
  }

  delete(_type: unknown, address: { name: string }): Promise<void> {
    if (!this.#objects.has(address.name)) return Promise.reject(new ApiError(404, {}));
    this.#set(address.name, undefined);
    return Promise.resolve();
  }

  /** Ends all watches, as the end of an agent does. */
  endWatches(): void {
    this.#listeners = [];
  }

  /** As `kubectl delete peer` does. */
  remove(name: string): void {
    this.#set(name, undefined);
  }

  /** As somebody does who edits its record, which is signed. */
  spoil(name: string): void {
    const { spec, ...rest } = this.#objects.get(name)!;
    this.#set(name, { ...rest, spec: { ...spec, endpoints: ['192.0.2.1:7443'] } });
  }

  #set(name: string, after: PeerObject | undefined): void {
    const before = this.#objects.get(name);
    if (after === undefined) this.#objects.delete(name);
    else this.#objects.set(name, after);
    this.writes += 1;
    queueMicrotask(() => {
      for (const listener of this.#listeners) listener(name, after, before);
    });
  }
}
