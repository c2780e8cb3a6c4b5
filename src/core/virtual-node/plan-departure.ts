import { disruptionTarget } from '../disruption.ts';
import { controllerOf, type Pod, type PodStatus } from '../kube-objects.ts';
import { isTerminal } from '../pod-phase.ts';
import { PEER_LEFT_REASON } from './plan-node.ts';

export interface DeparturePlan {
  /** They have no place any more; whoever wants them makes others. */
  remove: Pod[];
  /** They may still run on the former member: nothing may take their place yet. */
  waiting: Pod[];
}

/** The pods on the virtual node of a former member that have to end. */
export function podsToEnd(pods: readonly Pod[], node: string): Pod[] {
  return pods.filter((pod) => pod.spec.nodeName === node && !isRemoved(pod) && !belongsToNode(pod));
}

/**
 * What becomes of the pods on the virtual node of a former member, which can be asked nothing any more. Kubernetes would remove
 * them all, fenced or not, some time after their node is gone.
 * @param stoppedInMs from now until a pod's provider has stopped it for sure; undefined for a pod that is not fenced
 */
export function planDeparture(
  pods: readonly Pod[],
  node: string,
  stoppedInMs: (pod: Pod) => number | undefined,
): DeparturePlan {
  const there = podsToEnd(pods, node);
  const mayRun = (pod: Pod): boolean => !isTerminal(pod.status) && (stoppedInMs(pod) ?? 0) > 0;
  return { remove: there.filter((pod) => !mayRun(pod)), waiting: there.filter(mayRun) };
}

/**
 * The end of a pod whose peer is no member any more: for controllers a disruption, not a failure of the pod itself. As the pod
 * garbage collector of Kubernetes does it. @param now RFC 3339
 */
export function departedPatch(pod: Pod, now: string): { metadata: { uid: string }; status: PodStatus } | undefined {
  if (isTerminal(pod.status)) return undefined;
  const message = 'the cluster that ran the pod is no member of the federation any more';
  return {
    metadata: { uid: pod.metadata.uid ?? '' },
    status: {
      phase: 'Failed',
      reason: PEER_LEFT_REASON,
      message,
      conditions: [disruptionTarget(PEER_LEFT_REASON, message, now)],
    },
  };
}

/** As long as the node is there it would be made anew. */
function belongsToNode(pod: Pod): boolean {
  return controllerOf(pod)?.kind === 'DaemonSet';
}

/** Only a finalizer of somebody else keeps it. */
function isRemoved({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0;
}
