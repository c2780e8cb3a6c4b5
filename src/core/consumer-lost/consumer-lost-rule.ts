import { parseDuration } from '../duration.ts';
import { NEVER } from '../failover/failover-rule.ts';
import type { KubeObject } from '../kube-objects.ts';

/** `spec.consumerLost` of a Federation and of an Offloading: a duration such as `10m`, or `Never`. */
export interface ConsumerLostSettings {
  stopAfter?: string;
}

/**
 * After how many seconds without contact to this cluster its providers stop a pod: as its namespace's Offloading has it, else the
 * Federation; undefined: never.
 */
export function stopAfterSeconds(
  namespace: KubeObject | undefined,
  federation: KubeObject | undefined,
): number | undefined {
  const [here, everywhere] = [namespace, federation].map((object) => settingsOf(object)?.stopAfter);
  const wanted = here ?? everywhere ?? NEVER;
  return wanted === NEVER ? undefined : Math.ceil(parseDuration(wanted) / 1_000);
}

/** Which its schema checked. */
function settingsOf(object: KubeObject | undefined): ConsumerLostSettings | undefined {
  return (object?.spec as { consumerLost?: ConsumerLostSettings } | undefined)?.consumerLost;
}
