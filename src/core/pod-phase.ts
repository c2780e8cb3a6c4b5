import type { PodStatus } from './kube-objects.ts';

/** True for Succeeded and Failed: no container of the pod ever runs again. */
export function isTerminal(status: Pick<PodStatus, 'phase'> | undefined): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
