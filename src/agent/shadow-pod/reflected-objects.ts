import { createHash } from 'node:crypto';
import { CodedError } from '../../core/coded-error.ts';
import type { ConfigObject } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, ORIGIN_NAMESPACE_LABEL } from '../../core/labels.ts';
import type { Twin } from '../../core/reflection/reflected-object.ts';
import { ApiError, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { CONFIG_MAPS, type ResourceType, SECRETS } from '../../kube/resources.ts';

/** Keeps the ConfigMaps and Secrets of twin namespaces equal to what consumers sent, with no write when nothing changed. */
export class ReflectedObjects {
  readonly #client: Pick<KubeClient, 'get' | 'apply' | 'delete'>;
  /** Hash of what was applied last, by `namespace/kind/name`. */
  readonly #applied = new Map<string, string>();

  constructor(client: Pick<KubeClient, 'get' | 'apply' | 'delete'>) {
    this.#client = client;
  }

  /** Throws FailedPrecondition when an object of one of these names is there and is not of this consumer's namespace. */
  async apply(objects: ConfigObject[], twin: Twin): Promise<void> {
    await Promise.all(objects.map((object) => this.#applyOne(object, twin)));
  }

  /** To be called when a twin namespace is gone. */
  forget(twin: string): void {
    for (const key of [...this.#applied.keys()]) if (key.startsWith(`${twin}/`)) this.#applied.delete(key);
  }

  async #applyOne(object: ConfigObject, twin: Twin): Promise<void> {
    const at = { namespace: twin.name, name: object.metadata.name };
    const key = `${at.namespace}/${object.kind}/${at.name}`;
    const hash = createHash('sha256').update(JSON.stringify(object)).digest('base64');
    if (this.#applied.get(key) === hash) return;
    const type = object.kind === 'ConfigMap' ? CONFIG_MAPS : SECRETS;
    await this.#checkOwn(type, object.kind, at, twin);
    try {
      await this.#client.apply(type, object, { force: true });
    } catch (error) {
      // A Secret's type, and immutable objects, cannot change: the consumer replaced the object, and so do we.
      if (!(error instanceof ApiError && error.status === 422)) throw error;
      await this.#client.delete(type, at).catch((cause) => {
        if (!isNotFound(cause)) throw cause;
      });
      await this.#client.apply(type, object, { force: true });
    }
    this.#applied.set(key, hash);
  }

  /** Nothing that somebody else made is ever touched: a pod that needs an object of this name waits, and says so. */
  async #checkOwn(
    type: ResourceType,
    kind: string,
    at: { namespace: string; name: string },
    { origin }: Twin,
  ): Promise<void> {
    const existing = await this.#client.get(type, at).catch((error) => {
      if (!isNotFound(error)) throw error;
    });
    if (existing === undefined) return;
    const { [ORIGIN_CLUSTER_LABEL]: cluster, [ORIGIN_NAMESPACE_LABEL]: namespace } = existing.metadata.labels ?? {};
    if (cluster === origin.cluster && namespace === origin.namespace) return;
    const whose = cluster === undefined ? "is not headcut's" : 'was sent by another cluster or for another namespace';
    throw new CodedError(
      'FailedPrecondition',
      `${kind} ${at.namespace}/${at.name} exists on the provider and ${whose}; it is left alone`,
    );
  }
}
