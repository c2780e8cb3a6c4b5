import type { Condition, Pod } from '../kube-objects.ts';

/** Reason of a Ready condition that we set to False ourselves, because nobody can reach the pod. */
const UNREACHABLE_REASON = 'PeerUnreachable';

/**
 * The patch that takes a pod on an unreachable peer out of every Service, or undefined when it is out already. Kubernetes'
 * own node controller does the same, but up to five seconds later. Nothing is evicted for it. @param now RFC 3339
 */
export function withdrawReadiness(
  pod: Pod,
  now: string,
): { metadata: { uid: string }; status: { conditions: Condition[] } } | undefined {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready');
  if (ready?.status !== 'True') return undefined;
  const condition: Condition = {
    type: 'Ready',
    status: 'False',
    reason: UNREACHABLE_REASON,
    message: 'the cluster that runs the pod cannot be reached',
    lastTransitionTime: now,
  };
  return { metadata: { uid: pod.metadata.uid ?? '' }, status: { conditions: [condition] } };
}

/** True for a pod whose readiness we withdrew: it gets it back by what its peer says after it returned, and by nothing older. */
export function isReadinessWithdrawn(pod: Pod): boolean {
  return pod.status?.conditions?.some((one) => one.type === 'Ready' && one.reason === UNREACHABLE_REASON) === true;
}
