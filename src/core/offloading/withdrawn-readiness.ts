import type { Condition, Pod } from '../kube-objects.ts';
import type { LocalStatus } from './local-status.ts';

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

/** Reason of a Ready condition of a pod that its provider is about to end. */
const REMOVAL_REASON = 'RemovedOnProvider';

/** The status of a pod that its provider is about to end: as it is there, but out of every Service. @param now RFC 3339 */
export function removalStatus(
  wanted: LocalStatus,
  local: Pod,
  now: string,
): { status: LocalStatus; told: { reason: string; message: string } } {
  const { conditions = [] } = wanted;
  const target = conditions.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True');
  const message = `the provider removes the pod: ${target?.message ?? 'it was deleted there'}`;
  const shown = readyOf(local);
  const ready: Condition = {
    type: 'Ready',
    status: 'False',
    reason: REMOVAL_REASON,
    message,
    lastTransitionTime: (isRemovalShown(local) ? shown?.lastTransitionTime : undefined) ?? now,
  };
  const others = conditions.filter(({ type }) => type !== 'Ready');
  return { status: { ...wanted, conditions: [...others, ready] }, told: { reason: REMOVAL_REASON, message } };
}

export function isRemovalShown(pod: Pod): boolean {
  return readyOf(pod)?.reason === REMOVAL_REASON;
}

function readyOf(pod: Pod): Condition | undefined {
  return pod.status?.conditions?.find(({ type }) => type === 'Ready');
}

/** The status of a pod that has ended, of which nobody says any more that it is not ready. @param now RFC 3339 */
export function withoutReadiness(wanted: LocalStatus, local: Pod, now: string): LocalStatus {
  const { conditions = [] } = wanted;
  const isSaid = (type: string): boolean => conditions.some((one) => one.type === type);
  const stale = local.status?.conditions?.filter(
    ({ type, status }) => ['Ready', 'ContainersReady'].includes(type) && status === 'True' && !isSaid(type),
  );
  if (stale === undefined || stale.length === 0) return wanted;
  const over = stale.map(
    ({ type }): Condition => ({ type, status: 'False', reason: 'PodFailed', lastTransitionTime: now }),
  );
  return { ...wanted, conditions: [...conditions, ...over] };
}
