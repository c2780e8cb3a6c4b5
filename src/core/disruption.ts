import type { Condition } from './kube-objects.ts';

/**
 * The condition by which controllers tell a disruption from a failure of the pod itself (Job: podFailurePolicy).
 * @param now RFC 3339
 */
export function disruptionTarget(reason: string, message: string, now: string): Condition {
  return { type: 'DisruptionTarget', status: 'True', reason, message, lastTransitionTime: now };
}
