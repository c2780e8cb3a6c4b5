import { createHash } from 'node:crypto';
import { CodedError } from '../../core/coded-error.ts';
import type { ConfigObject, OwnerReference } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../../core/labels.ts';
import { isTokenSecretName, toReflectedObject } from '../../core/reflection/reflected-object.ts';
import { ApiError, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { CONFIG_MAPS, type ResourceType, SECRETS } from '../../kube/resources.ts';
import type { Origin } from './twin-namespaces.ts';

/** Keeps the ConfigMaps and Secrets of twin namespaces equal to what consumers sent, with no write when nothing changed. */
export class ReflectedObjects {
  readonly #client: Pick<KubeClient, 'get' | 'apply' | 'delete'>;
  /** Hash of what was applied last, by `namespace/kind/name`. */
  readonly #applied = new Map<string, string>();

  constructor(client: Pick<KubeClient, 'get' | 'apply' | 'delete'>) {
    this.#client = client;
  }

  /**
   * Throws FailedPrecondition when an object of this name is there and is not headcut's.
   * @param tokenOwner the shadow pod that token Secrets belong to, so that they go with it
   */
  async apply(objects: ConfigObject[], origin: Origin, twin: string, tokenOwner?: OwnerReference): Promise<void> {
    await Promise.all(
      objects.map((object) => {
        const reflected = toReflectedObject(object, origin, twin);
        if (isTokenSecretName(reflected.metadata.name) && tokenOwner !== undefined) {
          reflected.metadata.ownerReferences = [tokenOwner];
        }
        return this.#applyOne(reflected, twin);
      }),
    );
  }

  /** To be called when a twin namespace is gone. */
  forget(twin: string): void {
    for (const key of [...this.#applied.keys()]) if (key.startsWith(`${twin}/`)) this.#applied.delete(key);
  }

  /** To be called when the token Secret of a pod is gone with its shadow pod. */
  forgetObject(twin: string, kind: string, name: string): void {
    this.#applied.delete(`${twin}/${kind}/${name}`);
  }

  async #applyOne(object: ConfigObject, twin: string): Promise<void> {
    const { name } = object.metadata;
    const key = `${twin}/${object.kind}/${name}`;
    const hash = createHash('sha256').update(JSON.stringify(object)).digest('base64');
    if (this.#applied.get(key) === hash) return;
    const type = object.kind === 'ConfigMap' ? CONFIG_MAPS : SECRETS;
    await this.#checkOwn(type, object.kind, { namespace: twin, name });
    try {
      await this.#client.apply(type, object, { force: true });
    } catch (error) {
      // A Secret's type, and immutable objects, cannot change: the consumer replaced the object, and so do we.
      if (!(error instanceof ApiError && error.status === 422)) throw error;
      await this.#client.delete(type, { namespace: twin, name }).catch((cause) => {
        if (!isNotFound(cause)) throw cause;
      });
      await this.#client.apply(type, object, { force: true });
    }
    this.#applied.set(key, hash);
  }

  /** Nothing that somebody else made is ever touched: a pod that needs an object of this name waits, and says so. */
  async #checkOwn(type: ResourceType, kind: string, at: { namespace: string; name: string }): Promise<void> {
    const existing = await this.#client.get(type, at).catch((error) => {
      if (!isNotFound(error)) throw error;
    });
    if (existing === undefined || existing.metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined) return;
    throw new CodedError(
      'FailedPrecondition',
      `${kind} ${at.namespace}/${at.name} exists on the provider and is not headcut's; it is left alone`,
    );
  }
}
