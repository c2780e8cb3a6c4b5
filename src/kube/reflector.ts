import { type KubeObject, objectKey } from '../core/kube-objects.ts';
import { backoffDelayMs, CONNECT_BACKOFF } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import { readLines } from '../runtime/lines.ts';
import type { Logger } from '../runtime/logger.ts';
import { ApiError, isExpired } from './api-error.ts';
import type { KubeClient, Query } from './client.ts';
import { type ResourceType, resourcePath } from './resources.ts';
import type { ChangeListener, Store } from './store.ts';

export interface ReflectorOptions<T extends KubeObject> {
  client: Pick<KubeClient, 'list' | 'stream'>;
  type: ResourceType;
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Makes objects smaller on intake; managedFields are dropped anyway. */
  slim?: (object: T) => T;
  clock: Clock;
  logger: Logger;
  random?: () => number;
}

interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T;
}

/** The server ends a watch after this long (plus up to as much again, at random, so that watches do not end together). */
const WATCH_SECONDS = 300;

/** A watch that ends sooner was not ended by its time: the next one waits, as after an error. */
const SHORT_WATCH_MS = 1_000;

/** Versions are numbers, each greater than those before. */
function toVersion(text: string | undefined): bigint | undefined {
  return text !== undefined && /^\d{1,39}$/.test(text) ? BigInt(text) : undefined;
}

/** Keeps a Store equal to a collection of the API server: list, then watch with bookmarks, from the start again when expired. */
export class Reflector<T extends KubeObject> implements Store<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #listeners: ChangeListener<T>[] = [];
  readonly #firstList = Promise.withResolvers<void>();
  #synced = false;
  #resourceVersion: string | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
  }

  get synced(): boolean {
    return this.#synced;
  }

  whenSynced(): Promise<void> {
    return this.#firstList.promise;
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

  /** Works until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, type } = this.#options;
    let failures = 0;
    while (!signal.aborted) {
      const startedAt = clock.monotonic();
      const problem = await this.#follow(signal);
      if (signal.aborted) return;
      const wasLong = clock.monotonic() - startedAt >= SHORT_WATCH_MS;
      if (isExpired(problem)) this.#resourceVersion = undefined;
      if (wasLong && (problem === undefined || isExpired(problem))) {
        failures = 0;
        continue;
      }
      failures += 1;
      const err = problem ?? new Error('the watch ended at once');
      if (failures > 2) logger.warn({ resource: type.plural, failures, err }, 'list or watch failed');
      const delay = backoffDelayMs(CONNECT_BACKOFF, failures, (this.#options.random ?? Math.random)());
      await clock.sleep(delay, signal).catch(() => {});
    }
  }

  /** Lists if that has to be, and watches until that ends; what was thrown, or undefined where the server ended it in order. */
  async #follow(signal: AbortSignal): Promise<unknown> {
    try {
      if (this.#resourceVersion === undefined || (await this.#isAhead(signal))) await this.#relist(signal);
      await this.#watch(signal);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /**
   * True when what is known is newer than what there is: the datastore was restored from a backup. A watch from a version of the
   * future says nothing until that comes again, and what is known would stay as it is. Since Kubernetes 1.35 versions may be compared.
   */
  async #isAhead(signal: AbortSignal): Promise<boolean> {
    const { client, type, namespace } = this.#options;
    const known = toVersion(this.#resourceVersion);
    if (known === undefined) return false;
    const { resourceVersion } = await client.list<T>(type, {
      ...(namespace === undefined ? {} : { namespace }),
      query: { ...this.#selectors(), limit: 1 },
      pages: 1,
      signal,
    });
    const present = toVersion(resourceVersion);
    return present !== undefined && present < known;
  }

  async #relist(signal: AbortSignal): Promise<void> {
    const { client, type, namespace } = this.#options;
    const { items, resourceVersion } = await client.list<T>(type, {
      ...(namespace === undefined ? {} : { namespace }),
      query: this.#selectors(),
      signal,
    });
    const present = new Set<string>();
    for (const item of items) {
      present.add(objectKey(item));
      this.#set(item);
    }
    for (const key of [...this.#objects.keys()]) if (!present.has(key)) this.#remove(key);
    this.#resourceVersion = resourceVersion;
    this.#synced = true;
    this.#firstList.resolve();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, type, namespace } = this.#options;
    const timeoutSeconds = Math.round(WATCH_SECONDS * (1 + (this.#options.random ?? Math.random)()));
    const stop = new AbortController();
    const { body } = await client.stream(resourcePath(type, { namespace }), {
      query: {
        ...this.#selectors(),
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: this.#resourceVersion,
        timeoutSeconds,
      },
      signal: AbortSignal.any([signal, stop.signal, AbortSignal.timeout((timeoutSeconds + 30) * 1000)]),
    });
    try {
      for await (const line of readLines(body)) this.#apply(JSON.parse(line) as WatchEvent<T>);
    } finally {
      stop.abort();
      body.destroy();
    }
  }

  #apply(event: WatchEvent<T>): void {
    if (event.type === 'ERROR') {
      const status = event.object as unknown as { code?: number };
      throw new ApiError(status.code ?? 500, event.object);
    }
    this.#resourceVersion = event.object.metadata.resourceVersion;
    if (event.type === 'DELETED') this.#remove(objectKey(event.object));
    else if (event.type !== 'BOOKMARK') this.#set(event.object);
  }

  #set(object: T): void {
    delete object.metadata.managedFields;
    const slimmed = this.#options.slim?.(object) ?? object;
    const key = objectKey(slimmed);
    const before = this.#objects.get(key);
    if (before?.metadata.resourceVersion === slimmed.metadata.resourceVersion && before !== undefined) return;
    this.#objects.set(key, slimmed);
    // A delete and a re-creation that a relist folded into one: two changes for those who compare UIDs.
    if (before !== undefined && before.metadata.uid !== slimmed.metadata.uid) {
      this.#tell(key, undefined, before);
      this.#tell(key, slimmed, undefined);
    } else this.#tell(key, slimmed, before);
  }

  #remove(key: string): void {
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    this.#tell(key, undefined, before);
  }

  #tell(key: string, after: T | undefined, before: T | undefined): void {
    for (const listener of this.#listeners) {
      try {
        listener(key, after, before);
      } catch (error) {
        this.#options.logger.error({ resource: this.#options.type.plural, key, err: error }, 'change listener failed');
      }
    }
  }

  #selectors(): Query {
    return { labelSelector: this.#options.labelSelector, fieldSelector: this.#options.fieldSelector };
  }
}
