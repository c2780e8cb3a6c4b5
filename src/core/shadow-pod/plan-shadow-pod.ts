import type { Condition, Pod, PodStatus } from '../kube-objects.ts';
import { ORIGIN_UID_LABEL } from '../labels.ts';
import { changesDigest } from '../offloading/pod-changes.ts';
import type { RemotePod } from '../offloading/pod-submission.ts';
import { isTerminal } from '../pod-phase.ts';
import type { ShadowPod, ShadowPodStatus } from './shadow-pod.ts';

/** How long an admitted pod may stay unschedulable before it counts as refused for want of room. */
export const UNSCHEDULABLE_AFTER_MS = 10_000;

export type ShadowPodAction =
  | { type: 'create-pod' }
  | { type: 'delete-pod'; uid: string; gracePeriodSeconds?: number }
  | { type: 'delete-shadow-pod' }
  | { type: 'write-status'; status: ShadowPodStatus };

export interface ShadowPodObservation {
  shadow: ShadowPod;
  pod: Pod | undefined;
  /** The consumer asked for its end. */
  deleting: boolean;
  /** Wall time in ms. */
  now: number;
}

export interface ShadowPodPlan {
  actions: ShadowPodAction[];
  requeueAfterMs?: number;
}

/**
 * What to do for one shadow pod. A pod that was made once is never made again: when it vanished it has failed, and the
 * consumer's controllers decide what follows.
 */
export function planShadowPod(observed: ShadowPodObservation): ShadowPodPlan {
  const { shadow, pod, deleting } = observed;
  const status = shadow.status ?? {};
  if (pod !== undefined && pod.metadata.labels?.[ORIGIN_UID_LABEL] !== shadow.spec.originUID) {
    // The pod of a former shadow pod of this name; it is on its way out or an orphan.
    const uid = pod.metadata.uid ?? '';
    return pod.metadata.deletionTimestamp === undefined ? { actions: [{ type: 'delete-pod', uid }] } : { actions: [] };
  }
  if (deleting || status.refusal !== undefined) return planEnd(observed, deleting);
  if (pod === undefined) {
    if (status.podUID === undefined) return { actions: [{ type: 'create-pod' }] };
    return status.terminal === undefined
      ? {
          actions: [
            { type: 'write-status', status: { ...status, phase: 'Failed', terminal: vanishedStatus(observed.now) } },
          ],
        }
      : { actions: [] };
  }
  return planRunning(observed, pod, status);
}

function planEnd({ shadow, pod }: ShadowPodObservation, deleting: boolean): ShadowPodPlan {
  if (pod === undefined) return { actions: deleting ? [{ type: 'delete-shadow-pod' }] : [] };
  if (pod.metadata.deletionTimestamp !== undefined || pod.metadata.uid === undefined) return { actions: [] };
  const grace = shadow.status?.refusal === undefined ? {} : { gracePeriodSeconds: 0 };
  return { actions: [{ type: 'delete-pod', uid: pod.metadata.uid, ...grace }] };
}

function planRunning(observed: ShadowPodObservation, pod: Pod, status: ShadowPodStatus): ShadowPodPlan {
  if (isTerminal(pod.status)) {
    if (status.terminal !== undefined || pod.status === undefined) return { actions: [] };
    const ended = {
      ...status,
      podUID: pod.metadata.uid ?? '',
      phase: pod.status.phase ?? 'Failed',
      terminal: pod.status,
    };
    return { actions: [{ type: 'write-status', status: ended }] };
  }
  const waiting = unschedulable(pod);
  if (waiting === undefined) return { actions: markMade(pod, status) };
  const leftMs = Date.parse(waiting.lastTransitionTime ?? '') + UNSCHEDULABLE_AFTER_MS - observed.now;
  if (leftMs > 0) return { actions: markMade(pod, status), requeueAfterMs: leftMs };
  return {
    actions: [
      { type: 'write-status', status: { ...status, podUID: pod.metadata.uid ?? '', refusal: roomRefusal(waiting) } },
    ],
  };
}

/** Notes that the pod was made, once, and only when it was bound: one write, after which it is never made again. */
function markMade(pod: Pod, status: ShadowPodStatus): ShadowPodAction[] {
  if (status.podUID === pod.metadata.uid || pod.spec.nodeName === undefined) return [];
  return [{ type: 'write-status', status: { ...status, podUID: pod.metadata.uid ?? '', phase: 'Running' } }];
}

function unschedulable(pod: Pod): Condition | undefined {
  if (pod.spec.nodeName !== undefined) return undefined;
  return pod.status?.conditions?.find(
    (one) => one.type === 'PodScheduled' && one.status === 'False' && one.reason === 'Unschedulable',
  );
}

/** The reason that a kubelet gives for a pod that does not fit (pkg/kubelet/lifecycle/predicate.go: `OutOf` + resource). */
function roomRefusal(condition: Condition): NonNullable<ShadowPodStatus['refusal']> {
  const message = condition.message ?? 'the pod cannot be scheduled on the provider';
  const resource = /Insufficient ([a-z0-9./-]+?)[,.]?(?:\s|$)/.exec(message)?.[1];
  return { kind: 'room', reason: resource === undefined ? 'Unschedulable' : `OutOf${resource}`, message };
}

function vanishedStatus(now: number): PodStatus {
  const message = 'the pod was removed on the provider, not by its owner';
  const at = new Date(now).toISOString().slice(0, 19);
  return { phase: 'Failed', reason: 'RemovedOnProvider', message, startTime: `${at}Z` };
}

/** What the consumer is told of a shadow pod. */
export function toRemotePod(observed: Pick<ShadowPodObservation, 'shadow' | 'pod' | 'deleting'>): RemotePod {
  const { shadow, pod, deleting } = observed;
  const own = pod?.metadata.labels?.[ORIGIN_UID_LABEL] === shadow.spec.originUID ? pod : undefined;
  const status = shadow.status?.terminal ?? own?.status;
  const refusal = shadow.status?.refusal;
  return {
    uid: shadow.spec.originUID,
    namespace: shadow.spec.originNamespace,
    name: shadow.spec.originName,
    deleting: deleting || own?.metadata.deletionTimestamp !== undefined,
    // Without a pod there is nothing to change yet.
    ...(own === undefined ? {} : { digest: changesDigest(shadow.spec.pod) }),
    ...(status === undefined ? {} : { status }),
    ...(refusal === undefined ? {} : { refusal }),
  };
}
