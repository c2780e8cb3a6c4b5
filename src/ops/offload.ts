import { CodedError } from '../core/coded-error.ts';
import type { KubeObject, Node, Pod } from '../core/kube-objects.ts';
import { OFFLOAD_LABEL, ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../core/labels.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { NAMESPACES, NODES, OFFLOADINGS, PODS } from '../kube/resources.ts';
import { explain } from './cluster.ts';
import { type EvictOptions, type EvictProgress, evictPods } from './evict.ts';
import { networkPoliciesOf } from './world.ts';

export interface Offloaded {
  namespace: string;
  /** False: it was offloaded already. */
  changed: boolean;
  /** Pods that were made before, which stay where they are. */
  podsBefore: number;
  /** Names of its NetworkPolicies, which do not go along with its pods. */
  networkPolicies: string[];
}

/** Lets new pods of a namespace leave this cluster: the label, and nothing else. */
export async function offload(client: KubeClient, name: string, options: { dryRun: boolean }): Promise<Offloaded> {
  const namespace = await readNamespace(client, name);
  try {
    const { items } = await client.list<Pod>(PODS, { namespace: name });
    const changed = namespace.metadata.labels?.[OFFLOAD_LABEL] !== 'true';
    if (changed && !options.dryRun)
      await client.patch(NAMESPACES, { name }, { metadata: { labels: { [OFFLOAD_LABEL]: 'true' } } });
    const networkPolicies = await networkPoliciesOf(client, name);
    return { namespace: name, changed, podsBefore: changed ? items.length : 0, networkPolicies };
  } catch (error) {
    throw explain(error);
  }
}

export interface UnoffloadOptions extends EvictOptions {
  dryRun: boolean;
  /** Leave pods that run elsewhere where they are. */
  keepPods: boolean;
}

export type UnoffloadProgress = { type: 'closed'; changed: boolean } | EvictProgress;

/** Keeps new pods of a namespace at home, and then brings home those that are elsewhere. */
export async function* unoffload(
  client: KubeClient,
  name: string,
  options: UnoffloadOptions,
): AsyncGenerator<UnoffloadProgress> {
  const namespace = await readNamespace(client, name);
  const labelled = namespace.metadata.labels?.[OFFLOAD_LABEL] !== undefined;
  const hasObject = await exists(client, name);
  // First the door is closed, or evicted pods would leave again.
  if (!options.dryRun) {
    if (labelled) await client.patch(NAMESPACES, { name }, { metadata: { labels: { [OFFLOAD_LABEL]: null } } });
    if (hasObject) await client.delete(OFFLOADINGS, { namespace: name, name: 'offloading' }).catch(ignoreGone);
  }
  yield { type: 'closed', changed: labelled || hasObject };
  if (options.keepPods) return;
  const nodes = await virtualNodes(client);
  const elsewhere = async (): Promise<Pod[]> => {
    const { items } = await client.list<Pod>(PODS, { namespace: name });
    return items.filter((pod) => nodes.has(pod.spec.nodeName ?? ''));
  };
  if (options.dryRun) return yield { type: 'gone', count: (await elsewhere()).length };
  yield* evictPods(client, elsewhere, options);
}

async function readNamespace(client: KubeClient, name: string): Promise<KubeObject> {
  let namespace: KubeObject;
  try {
    namespace = await client.get(NAMESPACES, { name });
  } catch (error) {
    if (isNotFound(error)) throw new CodedError('NotFound', `there is no namespace ${name} in this cluster`);
    throw explain(error);
  }
  if (namespace.metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined)
    throw new CodedError(
      'InvalidArgument',
      `${name} holds pods of a peer; it is offloaded, or not, on the cluster that it belongs to`,
    );
  return namespace;
}

async function exists(client: KubeClient, namespace: string): Promise<boolean> {
  try {
    await client.get(OFFLOADINGS, { namespace, name: 'offloading' });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw explain(error);
  }
}

async function virtualNodes(client: KubeClient): Promise<Set<string>> {
  const { items } = await client.list<Node>(NODES, { query: { labelSelector: PEER_LABEL } });
  return new Set(items.map((node) => node.metadata.name));
}

function ignoreGone(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
