import type { PodSubmission, PodVerdict } from '../../core/exchange/pod-submission.ts';
import { withoutFencing } from '../../core/fencing/fencing-rule.ts';
import { FENCING_PROTOCOL } from '../../wire/endpoints.ts';
import type { PeerLink } from '../ports.ts';

/** Asks a peer to run a pod. One that would overlook that the pod is to be fenced does not get it. */
export async function submitPod(
  link: Pick<PeerLink, 'name' | 'speaks' | 'call'>,
  uid: string,
  submission: PodSubmission,
): Promise<PodVerdict> {
  if (submission.fencing !== undefined && !link.speaks(FENCING_PROTOCOL)) return withoutFencing(link.name);
  return link.call('submitPod', { params: { uid }, body: submission });
}
