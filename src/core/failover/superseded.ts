import { controllerOf, isReady, type Pod } from '../kube-objects.ts';
import { isTerminal } from '../pod-phase.ts';
import { PEER_LOST_REASON } from './plan-failover.ts';

/** How long a superseded pod that turned out healthy waits for what replaces it: that may never find room. */
export const HOLD_MS = 60_000;

/** True for a pod that was replaced because its peer was lost; not for one that its owner deleted. */
export function isSuperseded({ metadata, status }: Pod): boolean {
  return (
    metadata.deletionTimestamp !== undefined &&
    status?.conditions?.some((one) => one.type === 'DisruptionTarget' && one.reason === PEER_LOST_REASON) === true
  );
}

/** Whether some pod of the same controller is still on its way to Ready. */
export function isReplacementPending(superseded: Pod, pods: readonly Pod[]): boolean {
  const owner = controllerOf(superseded)?.uid;
  if (owner === undefined) return false;
  return pods.some(
    (pod) =>
      controllerOf(pod)?.uid === owner &&
      pod.metadata.deletionTimestamp === undefined &&
      !isTerminal(pod.status) &&
      !isReady(pod),
  );
}
