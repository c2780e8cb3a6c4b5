import type { Condition, KubeObject } from '../../../core/kube-objects.ts';
import { createKubeClient, type KubeClient } from '../../../kube/client.ts';
import { kubeconfigConnection } from '../../../kube/kubeconfig.ts';
import { NODES } from '../../../kube/resources.ts';
import type { ClusterTopology } from '../../topology.ts';
import { dnsObjects } from './cluster-dns.ts';
import { metricsObjects } from './cluster-metrics.ts';
import { storageObjects } from './cluster-storage.ts';
import type { LabObject } from './lab-object.ts';
import { podNetworkPartsOf } from './pod-networks/pod-network-parts.ts';

/** A request to an API server that is just starting may hang. */
const PROBE_TIMEOUT_MS = 5_000;

/** What the lab asks a cluster's API server. */
export interface ClusterApi {
  /** True when /readyz is: bootstrap hooks such as the RBAC rules have run. Throws while nobody listens. */
  isReady(): Promise<boolean>;
  /** True when the node reported Ready at `sinceMs` or later; what it said before a restart does not count. */
  isNodeReady(node: string, sinceMs: number): Promise<boolean>;
  apply(objects: readonly LabObject[]): Promise<void>;
  close(): Promise<void>;
}

/** The objects of what runs as a process on the node: CoreDNS, metrics-server, what makes volumes, and what connects the pods. */
export function addonObjects(cluster: ClusterTopology): LabObject[] {
  return [
    ...dnsObjects(cluster),
    ...metricsObjects(cluster),
    ...storageObjects(),
    ...podNetworkPartsOf(cluster).objects,
  ];
}

export async function openClusterApi(kubeconfig: string): Promise<ClusterApi> {
  const client: KubeClient = createKubeClient(await kubeconfigConnection({ path: kubeconfig }));
  return {
    isReady: async () => {
      const { body } = await client.stream('/readyz', { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      body.resume();
      return true;
    },
    isNodeReady: async (node, sinceMs) =>
      isReadySince(await client.get(NODES, { name: node }, AbortSignal.timeout(PROBE_TIMEOUT_MS)), sinceMs),
    apply: async (objects) => {
      for (const { type, object } of objects)
        await client.apply(type, object, { force: true, fieldManager: 'headcut-lab' });
    },
    close: () => client.close(),
  };
}

/** Whether a node's condition Ready is True, and was reported at `sinceMs` or later (whole seconds, as the API has them). */
export function isReadySince(node: KubeObject, sinceMs: number): boolean {
  const conditions = (node.status as { conditions?: NodeCondition[] } | undefined)?.conditions ?? [];
  return conditions.some(
    ({ type, status, lastHeartbeatTime = '' }) =>
      type === 'Ready' && status === 'True' && Date.parse(lastHeartbeatTime) >= Math.floor(sinceMs / 1000) * 1000,
  );
}

interface NodeCondition extends Condition {
  lastHeartbeatTime?: string;
}
