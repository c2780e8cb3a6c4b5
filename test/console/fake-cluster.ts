import { PassThrough, type Readable } from 'node:stream';
import type { AccessAttributes } from '../../src/core/console/action-rights.ts';
import { type KubeObject, objectKey } from '../../src/core/kube-objects.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import type { KubeClient, Query } from '../../src/kube/client.ts';
import { type ResourceAddress, type ResourceType, resourcePath } from '../../src/kube/resources.ts';

/** An API server's worth of objects: lists, watches, reviews of access, and writes that are remembered. */
export class FakeCluster {
  readonly writes: string[] = [];
  /** Watches that are open now, by path. */
  readonly watches = new Map<PassThrough, string>();
  /** Asked for by anybody who wants to know. */
  lists = 0;
  mayDo: (attributes: AccessAttributes) => boolean = () => true;
  logs = new PassThrough();
  readonly #objects: Record<string, KubeObject[]>;
  #version = 1_000;
  #failure: Error | undefined;

  constructor(objects: Record<string, KubeObject[]>) {
    this.#objects = structuredClone(objects);
    for (const list of Object.values(this.#objects)) for (const one of list) one.metadata.resourceVersion ??= '1';
  }

  /** Adds or changes an object, and tells the watches. */
  set(plural: string, object: KubeObject): void {
    const list = this.#objects[plural] ?? [];
    this.#objects[plural] = list;
    this.#version += 1;
    const next = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
    const at = list.findIndex((one) => objectKey(one) === objectKey(object));
    if (at < 0) list.push(next);
    else list[at] = next;
    this.#tell(plural, at < 0 ? 'ADDED' : 'MODIFIED', next);
  }

  remove(plural: string, key: string): void {
    const found = this.#objects[plural]?.find((one) => objectKey(one) === key);
    this.#objects[plural] = (this.#objects[plural] ?? []).filter((one) => one !== found);
    if (found !== undefined) this.#tell(plural, 'DELETED', found);
  }

  find<T extends KubeObject>(plural: string, key: string): T {
    const found = this.#objects[plural]?.find((one) => objectKey(one) === key);
    if (found === undefined) throw new Error(`no ${plural} ${key} in the fixture`);
    return structuredClone(found) as T;
  }

  #tell(plural: string, type: string, object: KubeObject): void {
    for (const [watch, path] of this.watches)
      if (path.endsWith(`/${plural}`)) watch.write(`${JSON.stringify({ type, object })}\n`);
  }

  #select(type: ResourceType, namespace: string | undefined, query: Query = {}): KubeObject[] {
    const fields = String(query.fieldSelector ?? '')
      .split(',')
      .map((one) => one.split('='));
    const wanted = (name: string): string | undefined => fields.find(([field]) => field === name)?.[1];
    const [label = '', value] = String(query.labelSelector ?? '').split('=');
    return (this.#objects[type.plural] ?? []).filter((one) => {
      const involved = (one as { involvedObject?: { name?: string } }).involvedObject?.name;
      const node = (one as { spec?: { nodeName?: string } }).spec?.nodeName;
      return (
        (namespace === undefined || one.metadata.namespace === namespace) &&
        [undefined, one.metadata.name].includes(wanted('metadata.name')) &&
        [undefined, involved].includes(wanted('involvedObject.name')) &&
        [undefined, node].includes(wanted('spec.nodeName')) &&
        (label === '' ||
          (value === undefined ? label in (one.metadata.labels ?? {}) : one.metadata.labels?.[label] === value))
      );
    });
  }

  #check(verb: string, type: ResourceType, namespace: string | undefined): void {
    const attributes = {
      verb,
      group: type.group,
      resource: type.plural,
      ...(namespace === undefined ? {} : { namespace }),
    };
    if (!this.mayDo(attributes))
      throw new ApiError(403, { message: `${type.plural} is forbidden`, reason: 'Forbidden' });
  }

  /** What all calls end with from now on; watches that are open end. */
  fail(error: Error | undefined): void {
    this.#failure = error;
    for (const watch of this.watches.keys()) watch.end();
  }

  readonly client = {
    list: async (type: ResourceType, options: { namespace?: string; query?: Query } = {}) => {
      this.lists += 1;
      if (this.#failure !== undefined) throw this.#failure;
      this.#check('list', type, options.namespace);
      return {
        items: structuredClone(this.#select(type, options.namespace, options.query)),
        resourceVersion: String(this.#version),
      };
    },
    get: async (type: ResourceType, { namespace, name = '' }: ResourceAddress) => {
      const found = this.#select(type, namespace).find((one) => one.metadata.name === name);
      if (found !== undefined) return structuredClone(found);
      const details = { name, kind: type.plural };
      throw new ApiError(404, { message: `${type.plural} "${name}" not found`, reason: 'NotFound', details });
    },
    stream: async (
      path: string,
      { signal }: { signal?: AbortSignal } = {},
    ): Promise<{ body: Readable; headers: object }> => {
      if (path.endsWith('/log')) return { body: this.logs, headers: {} };
      if (this.#failure !== undefined) throw this.#failure;
      const body = new PassThrough();
      this.watches.set(body, path);
      signal?.addEventListener('abort', () => {
        this.watches.delete(body);
        body.destroy();
      });
      return { body, headers: {} };
    },
    request: async (_method: string, _path: string, { body }: { body?: unknown } = {}) => {
      const { spec } = body as { spec: { resourceAttributes: AccessAttributes } };
      return { status: { allowed: this.mayDo(spec.resourceAttributes) } };
    },
    patch: async (type: ResourceType, address: ResourceAddress & { name: string }, patch: unknown) => {
      this.#check('patch', type, address.namespace);
      this.writes.push(`patch ${resourcePath(type, address)} ${JSON.stringify(patch)}`);
      const key = address.namespace === undefined ? address.name : `${address.namespace}/${address.name}`;
      const { metadata, ...rest } = patch as { metadata?: { labels?: Record<string, string> } };
      const found = this.find(type.plural, key);
      const labels = { ...found.metadata.labels, ...metadata?.labels };
      this.set(type.plural, { ...found, ...rest, metadata: { ...found.metadata, labels } });
      return {};
    },
    create: async (type: ResourceType, object: KubeObject, options: { subresource?: string } = {}) => {
      this.writes.push(`create ${type.plural}/${options.subresource ?? ''} ${object.metadata.name}`);
      if (options.subresource === undefined) this.set(type.plural, object);
      return object;
    },
    delete: async (type: ResourceType, { name }: { name: string }) => {
      this.writes.push(`delete ${type.plural}/${name}`);
      this.remove(type.plural, name);
    },
    close: async () => {},
  } as unknown as KubeClient;
}
