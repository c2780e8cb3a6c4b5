import { parseDuration } from '../duration.ts';
import { NEVER } from '../failover/failover-rule.ts';

/** `spec.consumerLost` of a Federation and of an Offloading: a duration such as `10m`, or `Never`. */
export interface ConsumerLostSettings {
  stopAfter?: string;
}

/**
 * After how many seconds without contact to this cluster its providers stop a pod: as its namespace's Offloading has it, else the
 * Federation; undefined: never.
 */
export function stopAfterSeconds(
  namespace: ConsumerLostSettings | undefined,
  federation: ConsumerLostSettings | undefined,
): number | undefined {
  const wanted = namespace?.stopAfter ?? federation?.stopAfter ?? NEVER;
  return wanted === NEVER ? undefined : Math.ceil(parseDuration(wanted) / 1_000);
}
