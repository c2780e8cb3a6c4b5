import type { PodVerdict } from '../exchange/pod-submission.ts';
import { guestProblems } from '../guest-pod/admit-guest.ts';
import { DEFAULT_TERMS, type GuestTerms } from '../guest-pod/guest-terms.ts';
import type { Pod } from '../kube-objects.ts';
import { problemOfPodResources } from '../quantities/resource-limits.ts';

/**
 * Why a pod cannot run on a provider: it needs what cannot travel, or what its owner does not let guests have.
 * Levels of pod security are judged by the provider's API server (pod-security admission of the twin namespace).
 */
export function refusalByPolicy(
  pod: Pod,
  terms: GuestTerms = DEFAULT_TERMS,
): Extract<PodVerdict, { accepted: false }> | undefined {
  const resources = problemOfPodResources(pod);
  const problems = [
    ...(resources === undefined ? [] : [resources]),
    ...(pod.metadata.ownerReferences ?? [])
      .filter((owner) => owner.kind === 'DaemonSet' && owner.controller === true)
      .map((owner) => `it belongs to DaemonSet ${owner.name}, which is for the nodes of its own cluster`),
    ...guestProblems(pod, terms),
  ];
  if (problems.length === 0) return undefined;
  return {
    accepted: false,
    kind: 'policy',
    reason: 'NotOffloadable',
    message: `the pod cannot be offloaded: ${problems.join('; ')}`,
  };
}
