import { CodedError } from '../../core/coded-error.ts';
import type { KubeObject } from '../../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, ORIGIN_CLUSTER_LABEL, ORIGIN_NAMESPACE_LABEL } from '../../core/labels.ts';
import type { Twin } from '../../core/reflection/reflected-object.ts';
import { isOfOrigin, isTwinName, toTwinNamespace } from '../../core/shadow-pod/twin-namespace.ts';
import { ignoreGone, isAlreadyExists, isForbidden, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { NAMESPACES, ROLE_BINDINGS, SERVICE_ACCOUNTS } from '../../kube/resources.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface TwinNamespacesDeps {
  client: Pick<KubeClient, 'get' | 'list' | 'create' | 'delete'>;
  clock: Clock;
  /** The agent's own namespace and ServiceAccount, which gets its rights in each twin namespace by a RoleBinding. */
  agent: { namespace: string; serviceAccount: string };
  /** That the pods of this cluster have to meet. */
  podSecurityLevel(cluster: string): string;
}

/** The ClusterRole that holds the agent's rights in a twin namespace (manifests/). */
const TWIN_ROLE = 'headcut-twin';

/** How long the controllers of the cluster may take to give a new namespace its ServiceAccount, and RBAC to see a RoleBinding. */
const READY_WITHIN_MS = 10_000;
const POLL_MS = 50;

/** Makes twin namespaces, each with the agent's RoleBinding, and says when they can take pods. */
export class TwinNamespaces {
  readonly #deps: TwinNamespacesDeps;
  readonly #ready = new Map<string, { twin: Twin; made: Promise<void> }>();

  constructor(deps: TwinNamespacesDeps) {
    this.#deps = deps;
  }

  /** Resolves when the namespace exists and works. Throws Unavailable while one of that name is being removed. */
  async ensure(twin: Twin): Promise<void> {
    const known = this.#ready.get(twin.name);
    if (known !== undefined) {
      const { cluster, namespace } = known.twin.origin;
      if (cluster !== twin.origin.cluster || namespace !== twin.origin.namespace) throw taken(twin.name);
      return known.made;
    }
    const made = this.#make(twin);
    this.#ready.set(twin.name, { twin, made });
    made.catch(() => this.forget(twin.name));
    return made;
  }

  /** All that there are; none where they cannot be listed now. */
  async list(): Promise<KubeObject[]> {
    const found = this.#deps.client.list(NAMESPACES, { query: { labelSelector: ORIGIN_CLUSTER_LABEL } });
    const { items } = await found.catch(() => ({ items: [] }));
    return items.filter(isTwin);
  }

  /** Names of those of a consumer that there are, or are being made. */
  of(cluster: string): string[] {
    return [...this.#ready].filter(([, { twin }]) => twin.origin.cluster === cluster).map(([name]) => name);
  }

  /** To be called when a namespace went away or is going. */
  forget(name: string): void {
    this.#ready.delete(name);
  }

  /** Removes a twin namespace with all that is in it. What has no labels of one is left alone. */
  async remove(name: string): Promise<void> {
    this.forget(name);
    const { client } = this.#deps;
    const existing = await client.get(NAMESPACES, { name }).catch(ignoreGone);
    if (existing === undefined || !isTwin(existing)) return;
    const { uid } = existing.metadata;
    await client.delete(NAMESPACES, { name }, uid === undefined ? {} : { uid }).catch(ignoreGone);
  }

  async #make(twin: Twin): Promise<void> {
    const { name, origin } = twin;
    const existing = await this.#getOrCreate(twin);
    if (existing.metadata.deletionTimestamp !== undefined) {
      throw new CodedError('Unavailable', `namespace ${name} is being removed; it is made anew when that is done`);
    }
    if (!isOfOrigin(existing, origin)) throw taken(name);
    await this.#bind(name);
    await this.#waitUntilUsable(name);
  }

  async #getOrCreate(twin: Twin): Promise<KubeObject> {
    const wanted = toTwinNamespace(twin, this.#deps.podSecurityLevel(twin.origin.cluster));
    try {
      return await this.#deps.client.create(NAMESPACES, wanted);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return this.#deps.client.get(NAMESPACES, { name: twin.name });
    }
  }

  async #bind(namespace: string): Promise<void> {
    const { agent, client } = this.#deps;
    const binding = {
      metadata: { name: TWIN_ROLE, namespace, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: TWIN_ROLE },
      subjects: [{ kind: 'ServiceAccount', name: agent.serviceAccount, namespace: agent.namespace }],
    };
    await client.create(ROLE_BINDINGS, binding).catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }

  /** Pods are refused until the namespace has its default ServiceAccount; reading it also proves that RBAC knows our binding. */
  async #waitUntilUsable(namespace: string): Promise<void> {
    const { client, clock } = this.#deps;
    const end = clock.monotonic() + READY_WITHIN_MS;
    for (;;) {
      try {
        await client.get(SERVICE_ACCOUNTS, { namespace, name: 'default' });
        return;
      } catch (error) {
        if (!isNotFound(error) && !isForbidden(error)) throw error;
        if (clock.monotonic() > end) {
          throw new CodedError('Unavailable', `namespace ${namespace} has no usable ServiceAccount yet`, error);
        }
      }
      await clock.sleep(POLL_MS);
    }
  }
}

function isTwin({ metadata }: KubeObject): boolean {
  const { [ORIGIN_CLUSTER_LABEL]: cluster, [ORIGIN_NAMESPACE_LABEL]: namespace } = metadata.labels ?? {};
  return cluster !== undefined && namespace !== undefined && isTwinName(metadata.name, { cluster, namespace });
}

function taken(name: string): CodedError {
  return new CodedError(
    'Conflict',
    `namespace ${name} exists on the provider and is not of this origin; it is left alone`,
  );
}
