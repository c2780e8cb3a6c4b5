import type { Cni } from '../../../pod-network.ts';
import type { ClusterTopology } from '../../../topology.ts';
import { BRIDGE } from './bridge.ts';
import { FLANNEL } from './flannel.ts';
import { KUBE_ROUTER } from './kube-router.ts';
import type { PodNetworkParts } from './parts-of-network.ts';

const PARTS: Record<Cni, PodNetworkParts> = { bridge: BRIDGE, flannel: FLANNEL, 'kube-router': KUBE_ROUTER };

export function podNetworkPartsOf({ podNetwork }: ClusterTopology): PodNetworkParts {
  return PARTS[podNetwork.cni];
}
