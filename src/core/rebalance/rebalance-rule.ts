import { parseDuration } from '../duration.ts';
import { NEVER } from '../failover/failover-rule.ts';

/** `spec.rebalance` of a Federation and of an Offloading: a duration such as `5m`, or `Never`. */
export interface RebalanceSettings {
  after?: string;
}

/**
 * After how many milliseconds in which no peer came or went the replicas of a namespace are evened out: as its Offloading has it,
 * else the Federation; undefined: only on request.
 */
export function rebalanceAfterMs(
  namespace: RebalanceSettings | undefined,
  federation: RebalanceSettings | undefined,
): number | undefined {
  const wanted = namespace?.after ?? federation?.after ?? NEVER;
  return wanted === NEVER ? undefined : parseDuration(wanted);
}
