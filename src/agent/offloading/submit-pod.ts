import { type PodSubmission, type PodVerdict, refusalOfSize, toVerdict } from '../../core/exchange/pod-submission.ts';
import { withoutFencing } from '../../core/fencing/fencing-rule.ts';
import { submissionParts } from '../../core/offloading/submission-parts.ts';
import { ENDPOINTS, FENCING_PROTOCOL, PARTS_PROTOCOL } from '../../wire/endpoints.ts';
import type { PeerLink } from '../ports.ts';

/**
 * Asks a peer to run a pod. One that would overlook that the pod is to be fenced does not get it; what is too large for one message goes in
 * several.
 */
export async function submitPod(
  link: Pick<PeerLink, 'name' | 'speaks' | 'call'>,
  uid: string,
  submission: PodSubmission,
): Promise<PodVerdict> {
  if (submission.fencing !== undefined && !link.speaks(FENCING_PROTOCOL)) return withoutFencing(link.name);
  const { bodyBytes } = ENDPOINTS.submitPod;
  const parts = submissionParts(submission, bodyBytes);
  if (parts === undefined || (parts.ahead.length > 0 && !link.speaks(PARTS_PROTOCOL)))
    return refusalOfSize(submission, bodyBytes);
  for (const part of parts.ahead) {
    const verdict = toVerdict(await link.call('sendAhead', { params: { uid }, body: part }));
    if (!verdict.accepted) return verdict;
  }
  return toVerdict(await link.call('submitPod', { params: { uid }, body: parts.last }));
}
