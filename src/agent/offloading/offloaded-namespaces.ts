import type { KubeObject, Pod } from '../../core/kube-objects.ts';
import {
  namespaceOffloading,
  notOffloadedMessage,
  OFFLOADING_NAME,
  offloadingKey,
} from '../../core/offloading/namespace-offloading.ts';
import { wasStarted } from '../../core/offloading/plan-offloaded-pod.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { NAMESPACES, OFFLOADINGS, type ResourceAddress, type ResourceType } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';

export interface OffloadedNamespacesDeps {
  client: Pick<KubeClient, 'get'>;
  namespaces: Store<KubeObject>;
  offloadings: Store<KubeObject>;
}

/**
 * Whether pods may leave this cluster. A pod that was taken by its peer once goes on there, whatever its namespace says by now:
 * that shows by the start in its status, which nodes alone write, not the users of its namespace.
 */
export class OffloadedNamespaces {
  readonly #deps: OffloadedNamespacesDeps;

  constructor(deps: OffloadedNamespacesDeps) {
    this.#deps = deps;
  }

  /** Until then nothing can be said. */
  async whenSynced(): Promise<void> {
    await Promise.all([this.#deps.namespaces.whenSynced(), this.#deps.offloadings.whenSynced()]);
  }

  /** By what is known already: a no may come from a cache that is behind. */
  mayLeave(pod: Pod): boolean {
    const { namespaces, offloadings } = this.#deps;
    if (wasStarted(pod.status)) return true;
    if (!namespaces.synced || !offloadings.synced) return false;
    const { namespace = '' } = pod.metadata;
    return namespaceOffloading(namespaces.get(namespace), offloadings.get(offloadingKey(namespace))).offloaded;
  }

  /** Why a pod may not leave, in words for its owner; undefined when it may. The API server is asked before the answer is no. */
  async whyNot(pod: Pod): Promise<string | undefined> {
    if (this.mayLeave(pod)) return undefined;
    const { namespace: name = '' } = pod.metadata;
    const [namespace, offloading] = await Promise.all([
      this.#find(NAMESPACES, { name }),
      this.#find(OFFLOADINGS, { namespace: name, name: OFFLOADING_NAME }),
    ]);
    const found = namespaceOffloading(namespace, offloading);
    return found.offloaded ? undefined : notOffloadedMessage(name, pod.spec.nodeName ?? '', found.why);
  }

  async #find(type: ResourceType, address: ResourceAddress): Promise<KubeObject | undefined> {
    try {
      return await this.#deps.client.get(type, address);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}
