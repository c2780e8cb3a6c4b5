import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, Node, Pod } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../../core/labels.ts';
import type { NamespaceFacts } from '../../core/network/reachable-pods.ts';
import { namespaceOffloading, offloadingKey } from '../../core/offloading/namespace-offloading.ts';
import type { Store } from '../../kube/store.ts';
import type { ExportedAddresses } from '../ports.ts';

export interface NamespacesDeps {
  namespaces: Store<KubeObject>;
  offloadings: Store<KubeObject>;
  nodes: Pick<Store<Node>, 'get'>;
  exported: ExportedAddresses;
}

/** What the namespaces of this cluster say of the pods in them. */
export class Namespaces implements NamespaceFacts {
  readonly #deps: NamespacesDeps;

  constructor(deps: NamespacesDeps) {
    this.#deps = deps;
  }

  async whenSynced(): Promise<void> {
    const { namespaces, offloadings } = this.#deps;
    await Promise.all([namespaces.whenSynced(), offloadings.whenSynced()]);
  }

  /** Called when one says something else, which its status is not. */
  onChange(listener: () => void): void {
    const { namespaces, offloadings } = this.#deps;
    const saying = (object: KubeObject | undefined): unknown => [object?.metadata.labels, object?.spec];
    this.#deps.exported.onChange(listener);
    for (const store of [namespaces, offloadings])
      store.onChange((_key, after, before) => {
        if (!isDeepStrictEqual(saying(after), saying(before)) || (after === undefined) !== (before === undefined))
          listener();
      });
  }

  isOffloaded(name: string): boolean {
    const { namespaces, offloadings } = this.#deps;
    return namespaceOffloading(namespaces.get(name), offloadings.get(offloadingKey(name))).offloaded;
  }

  twinOf(name: string): string | undefined {
    return this.#deps.namespaces.get(name)?.metadata.labels?.[ORIGIN_CLUSTER_LABEL];
  }

  isVirtual(node: string): boolean {
    return this.#deps.nodes.get(node)?.metadata.labels?.[PEER_LABEL] !== undefined;
  }

  isExported({ metadata, status }: Pod): boolean {
    return status?.podIP !== undefined && this.#deps.exported.has(metadata.namespace ?? '', status.podIP);
  }
}
