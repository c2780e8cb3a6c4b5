import { fencingAfterMs } from '../../core/fencing/fencing-rule.ts';
import type { KubeObject, Pod } from '../../core/kube-objects.ts';
import { lossSettingsFor } from '../../core/loss-settings.ts';
import type { FederationObject } from '../../core/membership/peer-object.ts';
import type { Store } from '../../kube/store.ts';
import type { PodFencing } from '../ports.ts';
import type { LeaseGrants } from './lease-grants.ts';

/** Which pods are fenced, by the settings on this cluster, and when they are sure to have stopped, by the leases that it gave. */
export function createPodFencing(
  stores: { offloadings: Store<KubeObject>; federations: Store<FederationObject> },
  grants: Pick<LeaseGrants, 'fencedInMs' | 'letGo'>,
): PodFencing {
  const afterMs = (pod: Pod): number | undefined => {
    const { namespace, federation } = lossSettingsFor(pod.metadata.namespace, stores);
    return fencingAfterMs(pod, namespace.fencing, federation.fencing);
  };
  return {
    afterMs,
    stoppedInMs: (pod, peerId) => {
      const after = afterMs(pod);
      return after === undefined ? undefined : grants.fencedInMs(peerId, after, pod.metadata.uid);
    },
    letGo(pod, peerId) {
      const after = afterMs(pod);
      return after === undefined || grants.letGo(peerId, pod.metadata.uid ?? '', after);
    },
  };
}
