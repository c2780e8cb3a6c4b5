import { parseDuration } from '../duration.ts';
import { NEVER } from '../failover/failover-rule.ts';
import type { KubeObject } from '../kube-objects.ts';

/** `spec.rebalance` of a Federation and of an Offloading: a duration such as `5m`, or `Never`. */
export interface RebalanceSettings {
  after?: string;
}

/**
 * After how many milliseconds in which no peer came or went the replicas of a namespace are evened out: as its Offloading has it,
 * else the Federation; undefined: only on request.
 */
export function rebalanceAfterMs(
  namespace: KubeObject | undefined,
  federation: KubeObject | undefined,
): number | undefined {
  const [here, everywhere] = [namespace, federation].map((object) => settingsOf(object)?.after);
  const wanted = here ?? everywhere ?? NEVER;
  return wanted === NEVER ? undefined : parseDuration(wanted);
}

/** Which its schema checked. */
function settingsOf(object: KubeObject | undefined): RebalanceSettings | undefined {
  return (object?.spec as { rebalance?: RebalanceSettings } | undefined)?.rebalance;
}
