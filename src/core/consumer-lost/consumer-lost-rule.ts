import { parseDuration } from '../duration.ts';
import { NEVER } from '../failover/failover-rule.ts';

/** `spec.consumerLost` of a Federation and of an Offloading: a duration such as `10m`, or `Never`. */
export interface ConsumerLostSettings {
  stopAfter?: string;
}

/** What a provider takes: at least a second, at most 30 days. */
const [MIN_SECONDS, MAX_SECONDS] = [1, 2_592_000];

/**
 * After how many seconds without contact to this cluster its providers stop a pod: as its namespace's Offloading has it, else the
 * Federation; undefined: never.
 */
export function stopAfterSeconds(
  namespace: ConsumerLostSettings | undefined,
  federation: ConsumerLostSettings | undefined,
): number | undefined {
  const wanted = namespace?.stopAfter ?? federation?.stopAfter ?? NEVER;
  if (wanted === NEVER) return undefined;
  return Math.min(MAX_SECONDS, Math.max(MIN_SECONDS, Math.ceil(parseDuration(wanted) / 1_000)));
}
