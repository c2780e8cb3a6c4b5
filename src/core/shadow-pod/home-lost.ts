import type { PodEvent } from '../exchange/pod-submission.ts';
import type { Pod, PodStatus } from '../kube-objects.ts';
import { isTerminal } from '../pod-phase.ts';
import type { ShadowPod, ShadowPodStatus } from './shadow-pod.ts';

/**
 * What becomes of a pod on its provider while its home is out of contact: it goes on, for as long as its home wants that. When its home
 * is a member no more it ends: nobody would ever end it.
 */

export const STOPPED = {
  reason: 'ConsumerLost',
  message:
    'the provider was out of contact with this cluster for longer than consumerLost.stopAfter and stopped the pod',
};

/** A home that was forgotten by mistake may join again within this, and finds its pods. With what follows it is less than a minute. */
export const ABANDONED_AFTER_MS = 30_000;

/** What a pod has to end whose home is no member, or waits no longer, however much it asked for. */
const LAST_GRACE_SECONDS = 10;

/** How long (s) a pod may take to end that ends by the provider's own decision. */
export function lastGraceSeconds({ spec }: Pod): number {
  const { terminationGracePeriodSeconds: own = LAST_GRACE_SECONDS } = spec;
  return Math.min(own, LAST_GRACE_SECONDS);
}

/** True when it is being deleted, and has no more time left than this. */
export function endsWithin({ metadata }: Pod, graceSeconds: number): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.deletionGracePeriodSeconds ?? 0) <= graceSeconds;
}

/** How long (ms) until a pod ends because its home is no member, 0 when its time is over; undefined while its home is one. */
export function abandonedInMs(homeGoneMs: number | undefined): number | undefined {
  return homeGoneMs === undefined ? undefined : Math.max(0, ABANDONED_AFTER_MS - homeGoneMs);
}

/** How long (ms) until the pod is to stop, 0 when its time is over; undefined when it goes on, or its home is there. */
export function stopsInMs({ spec }: ShadowPod, homeLostMs: number | undefined): number | undefined {
  const { consumerLost } = spec;
  if (consumerLost === undefined || homeLostMs === undefined) return undefined;
  return Math.max(0, consumerLost.stopAfterSeconds * 1_000 - homeLostMs);
}

/**
 * True for a pod that the provider makes again when it was removed while its home is away, which otherwise would replace it: one
 * that never ends by itself. A fenced one may run elsewhere by now.
 */
export function isMadeAgain({ spec, status }: ShadowPod, homeLostMs: number | undefined): boolean {
  if (homeLostMs === undefined || spec.fencing !== undefined || status?.stopping !== undefined) return false;
  return (spec.pod.spec.restartPolicy ?? 'Always') === 'Always';
}

/** The kubelet ended a pod that never ends by itself: it had to make room. Its own time limit is its owner's wish. */
export function isEvicted({ status }: Pod): boolean {
  return isTerminal(status) && status?.reason !== 'DeadlineExceeded';
}

/** What is noted before a pod is made again, once for each pod that was removed. */
export function madeAgainStatus(status: ShadowPodStatus, removed: Pod | undefined, now: number): ShadowPodStatus {
  const of = status.podUID ?? '';
  const why = removed === undefined ? (status.madeAgain?.why ?? 'it was deleted there') : whyRemoved(removed);
  return { ...status, madeAgain: { of, why, at: new Date(now).toISOString() } };
}

/** Why the provider removes a pod that its owner wants, in words. */
export function whyRemoved({ status }: Pod): string {
  const target = status?.conditions?.find(({ type, status: is }) => type === 'DisruptionTarget' && is === 'True');
  return status?.message ?? target?.message ?? 'it was deleted there';
}

/** The event that tells the owner, when it is back, that the pod is another one than before. */
export function madeAgainEvent(status: ShadowPodStatus | undefined): PodEvent[] {
  if (status?.madeAgain === undefined) return [];
  const { of, why, at } = status.madeAgain;
  const message = `the pod was removed on the provider (${why}) while this cluster was out of contact with it, and was made again there`;
  return [{ id: `again-${of}`, type: 'Warning', reason: 'MadeAgain', message, count: 1, lastTimestamp: at }];
}

/** How a pod ended that was removed on the provider, not by its owner. One that never ends by itself has failed by that. */
export function removedStatus({ spec, status }: Pod, why: string): PodStatus {
  const phase = (spec.restartPolicy ?? 'Always') === 'Always' ? 'Failed' : (status?.phase ?? 'Failed');
  return { reason: 'RemovedOnProvider', message: `the provider removed the pod: ${why}`, ...status, phase };
}
