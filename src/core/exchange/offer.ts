import type { NodeInfo, ResourceList } from '../kube-objects.ts';
import type { OfferedClass } from './volume.ts';

/** What a provider advertises to one peer. The virtual node on that peer shows it. */
export interface Offer {
  /** Whole resources of the provider's nodes, for `status.capacity`. */
  capacity: ResourceList;
  /** What pods of this peer may use in all: free now, plus what its own pods there use already. */
  allocatable: ResourceList;
  nodeInfo: NodeInfo;
  /** Labels that the virtual node copies (region, extended features); never identity labels such as hostname. */
  labels: Record<string, string>;
  /** False when the provider takes no new pods now; `reason` says why. */
  accepting: boolean;
  reason?: string;
  /** It takes no new pods, but those that run there are well: its nodes are Ready, and closed (cordoned, tainted). */
  running?: boolean;
  /** It asks its peers to move their pods away: it is drained. */
  evacuate?: boolean;
  /** Storage classes for volumes of this peer, the first one for claims that name none. */
  storage?: OfferedClass[];
}
