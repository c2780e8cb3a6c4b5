import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { KubeObject } from '../core/kube-objects.ts';
import { FIELD_MANAGER } from '../core/labels.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { ApiError } from './api-error.ts';
import { createAuthorization, createDispatchers, type KubeConnection } from './connection.ts';
import { apiVersionOf, type ResourceAddress, type ResourceType, resourcePath } from './resources.ts';

export type Query = Record<string, string | number | boolean | string[] | undefined>;

export interface RequestOptions {
  query?: Query;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal | undefined;
}

export type PatchType = 'merge' | 'strategic' | 'json' | 'apply';

const PATCH_CONTENT_TYPES: Record<PatchType, string> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
};

export interface DeleteOptions {
  gracePeriodSeconds?: number;
  /** Delete only if the object still has this UID (409 otherwise). */
  uid?: string;
  resourceVersion?: string;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
}

/** How many writes this client sent, by verb; API writes are the scarcest resource. */
export type WriteObserver = (method: string, path: string, status: number) => void;

export interface ListOptions {
  namespace?: string;
  query?: Query;
  signal?: AbortSignal;
  /** At most so many pages are asked for; all, if it is not given. */
  pages?: number;
}

/**
 * A Kubernetes API client whose objects are raw JSON. Every method throws ApiError when the server says no,
 * and undici's errors when it cannot be reached.
 */
export interface KubeClient {
  readonly connection: KubeConnection;
  get<T extends KubeObject>(type: ResourceType, address: ResourceAddress, signal?: AbortSignal): Promise<T>;
  /** All objects, page by page. */
  list<T extends KubeObject>(
    type: ResourceType,
    options?: ListOptions,
  ): Promise<{ items: T[]; resourceVersion: string }>;
  create<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options?: { dryRun?: boolean; subresource?: string; name?: string; signal?: AbortSignal },
  ): Promise<T>;
  replace<T extends KubeObject>(type: ResourceType, object: T, subresource?: string): Promise<T>;
  patch<T extends KubeObject>(
    type: ResourceType,
    address: ResourceAddress & { name: string },
    patch: unknown,
    patchType?: PatchType,
  ): Promise<T>;
  /** Server-side apply with our field manager; `force` takes fields over from other managers (own objects only). */
  apply<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options?: { force?: boolean; subresource?: string; fieldManager?: string },
  ): Promise<T>;
  delete(type: ResourceType, address: ResourceAddress & { name: string }, options?: DeleteOptions): Promise<void>;
  /** One call to any path; parses JSON. */
  request(method: string, path: string, options?: RequestOptions): Promise<unknown>;
  /** A call whose answer streams (watch, logs). Throws ApiError when the status is not 2xx. */
  stream(path: string, options?: RequestOptions): Promise<{ body: Readable; headers: IncomingHttpHeaders }>;
  authorization(): Promise<string | undefined>;
  close(): Promise<void>;
}

/** @param onWrite is told of every POST, PUT, PATCH and DELETE, for metrics */
export function createKubeClient(
  connection: KubeConnection,
  clock: Clock = systemClock,
  onWrite?: WriteObserver,
): KubeClient {
  return new UndiciKubeClient(connection, clock, onWrite);
}

class UndiciKubeClient implements KubeClient {
  readonly connection: KubeConnection;
  readonly authorization: () => Promise<string | undefined>;
  #dispatchers: ReturnType<typeof createDispatchers>;
  /** That the dispatchers trust. */
  #ca: string | undefined;
  readonly #onWrite: WriteObserver | undefined;

  constructor(connection: KubeConnection, clock: Clock, onWrite: WriteObserver | undefined) {
    this.connection = connection;
    this.authorization = createAuthorization(connection, clock);
    this.#ca = connection.ca;
    this.#dispatchers = createDispatchers(connection);
    this.#onWrite = onWrite;
  }

  async get<T extends KubeObject>(type: ResourceType, address: ResourceAddress, signal?: AbortSignal): Promise<T> {
    return (await this.request('GET', resourcePath(type, address), { signal })) as T;
  }

  async list<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions = {},
  ): Promise<{ items: T[]; resourceVersion: string }> {
    const items: T[] = [];
    let token: string | undefined;
    for (let pages = 1; ; pages += 1) {
      const page = (await this.request('GET', resourcePath(type, { namespace: options.namespace }), {
        query: { limit: 500, ...options.query, continue: token },
        signal: options.signal,
      })) as { items?: T[]; metadata: { resourceVersion: string; continue?: string } };
      items.push(...(page.items ?? []));
      token = page.metadata.continue;
      if (token === undefined || token === '' || pages === options.pages)
        return { items, resourceVersion: page.metadata.resourceVersion };
    }
  }

  async create<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options: { dryRun?: boolean; subresource?: string; name?: string; signal?: AbortSignal } = {},
  ): Promise<T> {
    const { namespace } = object.metadata;
    return (await this.request(
      'POST',
      resourcePath(type, { namespace, name: options.name, subresource: options.subresource }),
      {
        body: { apiVersion: apiVersionOf(type), kind: type.kind, ...object },
        query: { fieldManager: FIELD_MANAGER, dryRun: options.dryRun === true ? 'All' : undefined },
        signal: options.signal,
      },
    )) as T;
  }

  async replace<T extends KubeObject>(type: ResourceType, object: T, subresource?: string): Promise<T> {
    const { namespace, name } = object.metadata;
    return (await this.request('PUT', resourcePath(type, { namespace, name, subresource }), {
      body: { apiVersion: apiVersionOf(type), kind: type.kind, ...object },
      query: { fieldManager: FIELD_MANAGER },
    })) as T;
  }

  async patch<T extends KubeObject>(
    type: ResourceType,
    address: ResourceAddress & { name: string },
    patch: unknown,
    patchType: PatchType = 'merge',
  ): Promise<T> {
    return (await this.request('PATCH', resourcePath(type, address), {
      body: patch,
      contentType: PATCH_CONTENT_TYPES[patchType],
      query: { fieldManager: FIELD_MANAGER },
    })) as T;
  }

  async apply<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options: { force?: boolean; subresource?: string; fieldManager?: string } = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    return (await this.request('PATCH', resourcePath(type, { namespace, name, subresource: options.subresource }), {
      body: { apiVersion: apiVersionOf(type), kind: type.kind, ...object },
      contentType: PATCH_CONTENT_TYPES.apply,
      query: { fieldManager: options.fieldManager ?? FIELD_MANAGER, force: options.force === true ? true : undefined },
    })) as T;
  }

  async delete(
    type: ResourceType,
    address: ResourceAddress & { name: string },
    options: DeleteOptions = {},
  ): Promise<void> {
    const { uid, resourceVersion, ...rest } = options;
    const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
    await this.request('DELETE', resourcePath(type, address), {
      body: { apiVersion: 'v1', kind: 'DeleteOptions', ...rest, preconditions },
    });
  }

  async request(method: string, path: string, options: RequestOptions = {}): Promise<unknown> {
    const response = await this.#send(method, path, options, 'calls');
    const text = await response.body.text();
    const body = parseBody(text);
    if (method !== 'GET') this.#onWrite?.(method, path, response.statusCode);
    if (response.statusCode >= 300) throw toApiError(response.statusCode, body, response.headers);
    return body;
  }

  async stream(path: string, options: RequestOptions = {}): Promise<{ body: Readable; headers: IncomingHttpHeaders }> {
    const response = await this.#send('GET', path, options, 'streams');
    if (response.statusCode < 300) return { body: response.body, headers: response.headers };
    throw toApiError(response.statusCode, parseBody(await response.body.text()), response.headers);
  }

  async close(): Promise<void> {
    await Promise.all([this.#dispatchers.calls.destroy(), this.#dispatchers.streams.destroy()]);
  }

  /** Calls and watches under way end as they would have; new ones meet the API server under its new CA. */
  #trustPresentCa(): void {
    const { ca } = this.connection;
    if (ca === this.#ca) return;
    const former = this.#dispatchers;
    this.#ca = ca;
    this.#dispatchers = createDispatchers(this.connection);
    for (const pool of [former.calls, former.streams]) pool.close().catch(() => {});
  }

  async #send(method: string, path: string, options: RequestOptions, pool: 'calls' | 'streams') {
    const authorization = await this.authorization();
    this.#trustPresentCa();
    return this.#dispatchers[pool].request({
      origin: this.connection.server,
      path: `${path}${queryString(options.query)}`,
      method: method as 'GET',
      headers: {
        accept: 'application/json',
        'user-agent': 'headcut',
        ...(options.body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
        ...(authorization === undefined ? {} : { authorization }),
      },
      body: options.body === undefined ? null : toText(options.body),
      signal: options.signal ?? null,
    });
  }
}

function parseBody(text: string): unknown {
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    return { message: text.slice(0, 1000) };
  }
}

function toApiError(status: number, body: unknown, headers: IncomingHttpHeaders): ApiError {
  const retryAfter = Number(headers['retry-after']);
  return new ApiError(status, body, Number.isFinite(retryAfter) ? retryAfter : undefined);
}

/** `?a=1&b=2`; undefined values are left out, lists repeat the name. Empty when there is nothing. */
export function queryString(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
}

/**
 * What YAML forbids or folds in the middle of a text: JSON is no subset of it there, and the API server reads an apply as YAML
 * (sigs.k8s.io/yaml). Written as escapes these are the same to both.
 */
const NOT_IN_YAML = /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;

function toText(body: unknown): string {
  return JSON.stringify(body).replace(NOT_IN_YAML, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
