import type { Condition, KubeObject } from '../kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../labels.ts';
import type { PeerObject } from '../membership/peer-object.ts';

/**
 * What this cluster and its peers are, in the words of the standards: ClusterProperty (KEP-2149, about.k8s.io) for the own
 * cluster, ClusterProfile (KEP-4322, multicluster.x-k8s.io) for each peer. Only where those kinds are installed.
 */

export interface ClusterProperty extends KubeObject {
  spec: { value: string };
}

export interface ClusterProfile extends KubeObject {
  spec: { clusterManager: { name: string }; displayName?: string };
  status?: {
    version?: { kubernetes?: string };
    properties?: { name: string; value: string }[];
    conditions?: Condition[];
  };
}

/** The names that KEP-2149 reserves. */
export const CLUSTER_ID_PROPERTY = 'cluster.clusterset.k8s.io';
export const CLUSTER_SET_PROPERTY = 'clusterset.k8s.io';
/** A federation without a head has no name that somebody gave it; a cluster is in one at a time. */
const CLUSTER_SET = 'headcut';
const CLUSTER_MANAGER_LABEL = 'x-k8s.io/cluster-manager';

/** @param memberOfSome false while there are no other members: then there is no set */
export function toClusterProperties(ownId: string, memberOfSome: boolean): Map<string, ClusterProperty | undefined> {
  const property = (name: string, value: string): ClusterProperty => ({
    metadata: { name, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } },
    spec: { value },
  });
  return new Map([
    [CLUSTER_ID_PROPERTY, property(CLUSTER_ID_PROPERTY, ownId)],
    [CLUSTER_SET_PROPERTY, memberOfSome ? property(CLUSTER_SET_PROPERTY, CLUSTER_SET) : undefined],
  ]);
}

/** @param kubernetes the peer's version, where it is known */
export function toClusterProfile(peer: PeerObject, namespace: string, kubernetes: string | undefined): ClusterProfile {
  const connected = peer.status?.conditions?.find(({ type }) => type === 'Connected');
  return {
    metadata: {
      name: peer.metadata.name,
      namespace,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY, [CLUSTER_MANAGER_LABEL]: 'headcut' },
    },
    spec: { clusterManager: { name: 'headcut' }, displayName: peer.spec.name },
    status: {
      ...(kubernetes === undefined ? {} : { version: { kubernetes } }),
      properties: [{ name: CLUSTER_ID_PROPERTY, value: peer.spec.id }],
      conditions: connected === undefined ? [] : [toHealth(connected)],
    },
  };
}

/** The one condition that the API of ClusterProfile names. Of a peer without contact nothing is known, good or bad. */
function toHealth({ status, reason, message, lastTransitionTime }: Condition): Condition {
  return {
    type: 'ControlPlaneHealthy',
    status: status === 'True' ? 'True' : 'Unknown',
    reason: reason ?? 'Unknown',
    message: message ?? '',
    ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }),
  };
}
