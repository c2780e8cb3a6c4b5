import { createHash } from 'node:crypto';
import { CodedError } from '../../core/coded-error.ts';
import type { ConfigObject } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, ORIGIN_NAMESPACE_LABEL } from '../../core/labels.ts';
import type { ObjectReference } from '../../core/reflection/references.ts';
import type { Twin } from '../../core/reflection/reflected-object.ts';
import { isOfOrigin } from '../../core/shadow-pod/twin-namespace.ts';
import { ApiError, ignoreGone } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { CONFIG_MAPS, type ResourceType, resourcePath, SECRETS } from '../../kube/resources.ts';
import type { MemberPace } from './member-pace.ts';

interface Known {
  /** Of what was applied last; undefined: by a former process. */
  hash: string | undefined;
  bytes: number;
}

/** All there is of one twin namespace, by `kind/name`. */
interface TwinObjects {
  cluster: string;
  listed: Promise<unknown>;
  known: Map<string, Known>;
}

export interface ApplyLimits {
  /** Of all that the consumer has in twins. */
  maxBytes?: number;
  /** The member's pace was asked before, for all that belongs together. */
  paid?: boolean;
}

const TYPES: Record<ConfigObject['kind'], ResourceType> = { ConfigMap: CONFIG_MAPS, Secret: SECRETS };
/** Each may have a megabyte. */
const LISTED_AT_ONCE = 20;

/** Keeps the ConfigMaps and Secrets of twin namespaces equal to what consumers sent, with no write when nothing changed. */
export class ReflectedObjects {
  readonly #client: Pick<KubeClient, 'get' | 'apply' | 'delete' | 'request'>;
  readonly #twins = new Map<string, TwinObjects>();
  /** The work on one object is done in the order in which it came. */
  readonly #turns = new Map<string, Promise<unknown>>();

  readonly #pace: Pick<MemberPace, 'take'>;

  constructor(client: Pick<KubeClient, 'get' | 'apply' | 'delete' | 'request'>, pace: Pick<MemberPace, 'take'>) {
    this.#client = client;
    this.#pace = pace;
  }

  /**
   * Throws FailedPrecondition when an object of one of these names is there and is not of this consumer's namespace, and
   * ResourceExhausted when all that this consumer has in twins would be more than this, or it writes too fast.
   */
  async apply(objects: ConfigObject[], twin: Twin, limits: ApplyLimits = {}): Promise<void> {
    const { maxBytes = Number.POSITIVE_INFINITY, paid = false } = limits;
    const { known } = await this.#listed(twin);
    const before = new Map(objects.map((object) => [keyOf(object), known.get(keyOf(object))]));
    const added = objects.map((object) => bytesOf(object) - (before.get(keyOf(object))?.bytes ?? 0));
    const wanted = this.bytesOf(twin.origin.cluster) + added.reduce((sum, bytes) => sum + bytes, 0);
    if (wanted > maxBytes && added.some((bytes) => bytes > 0)) throw tooMuch(wanted, maxBytes);
    const changed = objects.filter((one) => before.get(keyOf(one))?.hash !== hashOf(one)).length;
    if (!paid) this.#pace.take(twin.origin.cluster, changed);
    // They count from now on: more may come before these are written.
    for (const object of objects)
      known.set(keyOf(object), { hash: before.get(keyOf(object))?.hash, bytes: bytesOf(object) });
    await Promise.all(
      objects.map((object) =>
        this.#inTurn(object, twin, () => this.#applyOne(object, twin)).catch((error) => {
          const former = before.get(keyOf(object));
          if (former === undefined) known.delete(keyOf(object));
          else known.set(keyOf(object), former);
          throw error;
        }),
      ),
    );
  }

  /** Removes those of these that are there and are of this consumer's namespace. */
  async remove(references: readonly ObjectReference[], twin: Twin): Promise<void> {
    if (references.length === 0) return;
    const { known } = await this.#listed(twin);
    const there = references.map(toObject).filter((object) => known.has(keyOf(object)));
    this.#pace.take(twin.origin.cluster, there.length);
    await Promise.all(there.map((object) => this.#inTurn(object, twin, () => this.#removeOne(object, twin))));
  }

  /** Removes all but what `isWanted`. */
  async keepOnly(isWanted: (reference: ObjectReference) => boolean, twin: Twin): Promise<void> {
    const { known } = await this.#listed(twin);
    const references = [...known.keys()].map(referenceOf);
    await this.remove(
      references.filter((one) => !isWanted(one)),
      twin,
    );
  }

  /** What a consumer has here, as far as its twins were looked at since this process started. */
  bytesOf(cluster: string): number {
    let sum = 0;
    for (const twin of this.#twins.values())
      if (twin.cluster === cluster) for (const { bytes } of twin.known.values()) sum += bytes;
    return sum;
  }

  /** To be called when a twin namespace is gone. */
  forget(twin: string): void {
    this.#twins.delete(twin);
  }

  async #listed(twin: Twin): Promise<TwinObjects> {
    const listed = this.#twins.get(twin.name);
    if (listed !== undefined && listed.cluster === twin.origin.cluster) {
      await listed.listed;
      return listed;
    }
    const known = new Map<string, Known>();
    const listing = Promise.all([this.#list('ConfigMap', twin, known), this.#list('Secret', twin, known)]);
    const objects = { cluster: twin.origin.cluster, listed: listing, known };
    this.#twins.set(twin.name, objects);
    listing.catch(() => this.forget(twin.name));
    await listing;
    return objects;
  }

  async #list(kind: ConfigObject['kind'], { name: namespace, origin }: Twin, known: Map<string, Known>): Promise<void> {
    const labelSelector = `${ORIGIN_CLUSTER_LABEL}=${origin.cluster},${ORIGIN_NAMESPACE_LABEL}=${origin.namespace}`;
    const path = resourcePath(TYPES[kind], { namespace });
    let token: string | undefined;
    do {
      const query = { limit: LISTED_AT_ONCE, labelSelector, continue: token };
      const page = (await this.#client.request('GET', path, { query })) as {
        items?: ConfigObject[];
        metadata: { continue?: string };
      };
      for (const object of page.items ?? [])
        known.set(keyOf({ ...object, kind }), { hash: undefined, bytes: bytesOf(object) });
      token = page.metadata.continue;
    } while (token !== undefined && token !== '');
  }

  /** After what was begun for this object before. */
  #inTurn(object: ConfigObject, twin: Twin, work: () => Promise<void>): Promise<void> {
    const key = `${twin.name}/${keyOf(object)}`;
    const turn = (this.#turns.get(key) ?? Promise.resolve()).catch(() => {}).then(work);
    this.#turns.set(key, turn);
    const end = (): void => {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    };
    turn.then(end, end);
    return turn;
  }

  async #applyOne(object: ConfigObject, twin: Twin): Promise<void> {
    const { known } = await this.#listed(twin);
    const key = keyOf(object);
    const hash = hashOf(object);
    if (known.get(key)?.hash === hash) return;
    const type = TYPES[object.kind];
    await this.#checkOwn(object, twin);
    try {
      await this.#client.apply(type, object, { force: true });
    } catch (error) {
      // A Secret's type, and immutable objects, cannot change: the consumer replaced the object, and so do we.
      if (!(error instanceof ApiError && error.status === 422)) throw error;
      await this.#client.delete(type, addressOf(object, twin)).catch(ignoreGone);
      await this.#client.apply(type, object, { force: true });
    }
    known.set(key, { hash, bytes: bytesOf(object) });
  }

  async #removeOne(object: ConfigObject, twin: Twin): Promise<void> {
    const { known } = await this.#listed(twin);
    const existing = await this.#client.get(TYPES[object.kind], addressOf(object, twin)).catch(ignoreGone);
    const uid = existing?.metadata.uid;
    if (existing !== undefined && isOfOrigin(existing, twin.origin) && uid !== undefined)
      await this.#client.delete(TYPES[object.kind], addressOf(object, twin), { uid }).catch(ignoreGone);
    known.delete(keyOf(object));
  }

  /** Nothing that somebody else made is ever touched: a pod that needs an object of this name waits, and says so. */
  async #checkOwn(object: ConfigObject, twin: Twin): Promise<void> {
    const at = addressOf(object, twin);
    const existing = await this.#client.get(TYPES[object.kind], at).catch(ignoreGone);
    if (existing === undefined || isOfOrigin(existing, twin.origin)) return;
    const isReflected = existing.metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined;
    const whose = isReflected ? 'was sent by another cluster or for another namespace' : "is not headcut's";
    throw new CodedError(
      'FailedPrecondition',
      `${object.kind} ${at.namespace}/${at.name} exists on the provider and ${whose}; it is left alone`,
    );
  }
}

function hashOf(object: ConfigObject): string {
  return createHash('sha256').update(JSON.stringify(object)).digest('base64');
}

function keyOf({ kind, metadata }: ConfigObject): string {
  return `${kind}/${metadata.name}`;
}

function referenceOf(key: string): ObjectReference {
  const [kind, name = ''] = key.split('/');
  return { kind: kind as ObjectReference['kind'], name };
}

function toObject({ kind, name }: ObjectReference): ConfigObject {
  return { kind, metadata: { name } };
}

function addressOf({ metadata }: ConfigObject, twin: Twin): { namespace: string; name: string } {
  return { namespace: twin.name, name: metadata.name };
}

/** About what the datastore keeps of it. */
function bytesOf({ data, binaryData }: ConfigObject): number {
  let bytes = 0;
  for (const part of [data, binaryData])
    for (const [key, value] of Object.entries(part ?? {})) bytes += key.length + Buffer.byteLength(value);
  return bytes;
}

function tooMuch(wanted: number, maxBytes: number): CodedError {
  const limits = `would have ${toMiB(wanted)} MiB; the limit for one member is ${toMiB(maxBytes)} MiB (guests.perMember.objectMiB of its Federation)`;
  return new CodedError('ResourceExhausted', `all ConfigMaps and Secrets of this cluster on the provider ${limits}`);
}

function toMiB(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
