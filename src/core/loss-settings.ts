import type { ConsumerLostSettings } from './consumer-lost/consumer-lost-rule.ts';
import type { FailoverSettings } from './failover/failover-rule.ts';
import type { FencingSettings } from './fencing/fencing-rule.ts';
import type { KubeObject } from './kube-objects.ts';
import { FEDERATION_NAME } from './membership/peer-object.ts';
import type { RebalanceSettings } from './rebalance/rebalance-rule.ts';

/** What the spec of a Federation, or of an Offloading for its namespace, says about members that are lost and come back. */
export interface LossSettings {
  failover?: FailoverSettings;
  fencing?: FencingSettings;
  consumerLost?: ConsumerLostSettings;
  rebalance?: RebalanceSettings;
}

interface Objects {
  get(key: string): KubeObject | undefined;
}

/** Settings of a namespace, each of which counts before the same one of the federation. */
export function lossSettingsFor(
  namespace: string | undefined,
  { offloadings, federations }: { offloadings: Objects; federations: Objects },
): { namespace: LossSettings; federation: LossSettings } {
  return {
    namespace: lossSettingsOf(offloadings.get(`${namespace}/offloading`)),
    federation: lossSettingsOf(federations.get(FEDERATION_NAME)),
  };
}

/** Those of one object, which its schema checked. */
export function lossSettingsOf(object: KubeObject | undefined): LossSettings {
  return (object?.spec ?? {}) as LossSettings;
}
