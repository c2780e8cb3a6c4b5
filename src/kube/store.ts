import type { KubeObject } from '../core/kube-objects.ts';

/** What a change of one object is told as: its key, and the object before and after (undefined when absent). */
export type ChangeListener<T> = (key: string, after: T | undefined, before: T | undefined) => void;

/** The last known state of a collection. Objects are shared: never change them. */
export interface Store<T extends KubeObject> {
  /** True after the first full list; until then absence proves nothing. */
  readonly synced: boolean;
  /** Resolves at the first full list. */
  whenSynced(): Promise<void>;
  get(key: string): T | undefined;
  list(): T[];
  onChange(listener: ChangeListener<T>): void;
}
