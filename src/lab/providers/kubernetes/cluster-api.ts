import type { Condition, KubeObject } from '../../../core/kube-objects.ts';
import { createKubeClient, type KubeClient } from '../../../kube/client.ts';
import { kubeconfigConnection } from '../../../kube/kubeconfig.ts';
import { NODES } from '../../../kube/resources.ts';
import type { ClusterTopology } from '../../topology.ts';
import { dnsObjects } from './cluster-dns.ts';

/** A request to an API server that is just starting may hang. */
const PROBE_TIMEOUT_MS = 5_000;

/** What the lab asks a cluster's API server. */
export interface ClusterApi {
  /** True when /readyz is: bootstrap hooks such as the RBAC rules have run. Throws while nobody listens. */
  isReady(): Promise<boolean>;
  isNodeReady(node: string): Promise<boolean>;
  applyDns(cluster: ClusterTopology): Promise<void>;
  close(): Promise<void>;
}

export async function openClusterApi(kubeconfig: string): Promise<ClusterApi> {
  const client: KubeClient = createKubeClient(await kubeconfigConnection({ path: kubeconfig }));
  return {
    isReady: async () => {
      const { body } = await client.stream('/readyz', { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      body.resume();
      return true;
    },
    isNodeReady: async (node) =>
      isReady(await client.get(NODES, { name: node }, AbortSignal.timeout(PROBE_TIMEOUT_MS))),
    applyDns: async (cluster) => {
      for (const { type, object } of dnsObjects(cluster))
        await client.apply(type, object, { force: true, fieldManager: 'headcut-lab' });
    },
    close: () => client.close(),
  };
}

/** A node (or pod) whose condition Ready is True. */
export function isReady(object: KubeObject): boolean {
  const conditions = (object.status as { conditions?: Condition[] } | undefined)?.conditions ?? [];
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}
