import { CodedError } from '../../core/coded-error.ts';
import type { Pod } from '../../core/kube-objects.ts';
import { withChanges } from '../../core/offloading/pod-changes.ts';
import { planPodChanges } from '../../core/shadow-pod/plan-pod-changes.ts';
import { refusalByPolicy } from '../../core/shadow-pod/policy.ts';
import { inHomeWords } from '../../core/shadow-pod/shadow-objects.ts';
import type { ShadowPod } from '../../core/shadow-pod/shadow-pod.ts';
import { type PodSurroundings, translateWithDebuggers } from '../../core/shadow-pod/translate-pod.ts';
import { ApiError } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PODS, SHADOW_PODS } from '../../kube/resources.ts';

/**
 * Makes a real pod what its owner made of it. The shadow pod is written last: as long as it is not, its digest tells the
 * consumer that the change has not arrived, and the same comes again.
 */
export async function applyPodChanges(
  { client, surroundings }: { client: Pick<KubeClient, 'patch'>; surroundings: PodSurroundings },
  shadow: ShadowPod,
  real: Pod,
  wanted: Pod,
): Promise<void> {
  const next: ShadowPod = { ...shadow, spec: { ...shadow.spec, pod: withChanges(shadow.spec.pod, wanted) } };
  const { namespace, name } = shadow.metadata;
  const refusal = refusalByPolicy(next.spec.pod, surroundings.terms);
  // What a former version took stays as it is.
  if (refusal !== undefined && refusalByPolicy(shadow.spec.pod, surroundings.terms) === undefined)
    throw new CodedError('Forbidden', refusal.message);
  try {
    const [before, after] = [translateWithDebuggers(shadow, surroundings), translateWithDebuggers(next, surroundings)];
    const patches = planPodChanges(before, after, real);
    for (const { subresource, body } of patches)
      await client.patch(PODS, { namespace, name, subresource }, body, 'strategic');
  } catch (error) {
    throw toRefusal(error, shadow);
  }
  // Whole maps and lists are replaced: a merge patch would keep the keys that are gone.
  await client.patch(
    SHADOW_PODS,
    { namespace, name },
    [
      { op: 'test', path: '/metadata/uid', value: shadow.metadata.uid },
      { op: 'replace', path: '/spec/pod', value: next.spec.pod },
    ],
    'json',
  );
}

/** The API server's no to the change itself, such as pod security, quota or validation. */
function toRefusal(error: unknown, shadow: ShadowPod): unknown {
  if (!(error instanceof ApiError)) return error;
  const message = inHomeWords(error.message, shadow);
  if (error.status === 403) return new CodedError('Forbidden', message);
  if (error.status === 422 || error.status === 400) return new CodedError('InvalidArgument', message);
  return error;
}
