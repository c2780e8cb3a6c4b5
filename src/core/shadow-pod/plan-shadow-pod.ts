import type { RemotePod } from '../exchange/pod-submission.ts';
import { FENCE_GRACE_SECONDS } from '../fencing/lease.ts';
import { withoutGivenLimits } from '../guest-pod/guest-limits.ts';
import type { Condition, Pod, PodStatus } from '../kube-objects.ts';
import { changesDigest } from '../offloading/pod-changes.ts';
import { isTerminal } from '../pod-phase.ts';
import {
  abandonedInMs,
  endsWithin,
  isEvicted,
  isMadeAgain,
  lastGraceSeconds,
  madeAgainStatus,
  removedStatus,
  STOPPED,
  stopsInMs,
  whyRemoved,
} from './home-lost.ts';
import { inHomeWords, messagesInHomeWords } from './shadow-objects.ts';
import { isPodOf, type ShadowPod, type ShadowPodStatus } from './shadow-pod.ts';
import { withoutGate } from './start-gate.ts';

/** How long an admitted pod may stay unschedulable before it counts as refused for want of room. */
export const UNSCHEDULABLE_AFTER_MS = 10_000;

/** A kubelet needs some seconds to end a pod after its time. */
const KILLED_AFTER_MS = 5_000;

export type ShadowPodAction =
  | { type: 'create-pod' }
  | { type: 'delete-pod'; uid: string; gracePeriodSeconds?: number }
  /** It should have ended by now, and has not: a kubelet that waits for its end does not hear of a shorter time. */
  | { type: 'kill-pod'; uid: string }
  | { type: 'delete-shadow-pod' }
  | { type: 'write-status'; status: ShadowPodStatus };

export interface ShadowPodObservation {
  shadow: ShadowPod;
  pod: Pod | undefined;
  /** The consumer asked for its end. */
  deleting: boolean;
  /** Its home has been out of contact for too long: it has to stop. */
  fenced: boolean;
  /** It may start now; a fenced pod needs its home's consent. */
  mayRun: boolean;
  /** How long (ms) its home has been out of contact; undefined while it is there. */
  homeLostMs: number | undefined;
  /** How long (ms) its home has been no member; undefined while it is one. */
  homeGoneMs: number | undefined;
  /** Wall time in ms. */
  now: number;
}

export interface ShadowPodPlan {
  actions: ShadowPodAction[];
  requeueAfterMs?: number;
}

/**
 * What to do for one shadow pod. A pod that was made once is not made again: when it vanished it has failed, and the
 * consumer's controllers decide what follows; unless they are out of contact (home-lost.ts).
 */
export function planShadowPod(observed: ShadowPodObservation): ShadowPodPlan {
  const leftMs = abandonedInMs(observed.homeGoneMs);
  return leftMs === 0 ? planAbandoned(observed) : within(leftMs, planWanted(observed));
}

/** Nobody will ever end it: it does not get the time that it asks for, also when it is being deleted with that. */
function planAbandoned(observed: ShadowPodObservation): ShadowPodPlan {
  const { shadow, pod } = observed;
  if (pod === undefined || !isPodOf(pod, shadow)) return planWanted({ ...observed, deleting: true });
  return endSoon(pod, observed.now);
}

function endSoon(pod: Pod, now: number): ShadowPodPlan {
  const { uid, deletionTimestamp = '' } = pod.metadata;
  const gracePeriodSeconds = lastGraceSeconds(pod);
  if (uid === undefined) return { actions: [] };
  if (!endsWithin(pod, gracePeriodSeconds)) return { actions: [{ type: 'delete-pod', uid, gracePeriodSeconds }] };
  const leftMs = Date.parse(deletionTimestamp) + KILLED_AFTER_MS - now;
  return leftMs > 0 ? { actions: [], requeueAfterMs: leftMs } : { actions: [{ type: 'kill-pod', uid }] };
}

/** The plan, which is made again when this time (ms) is over. */
function within(leftMs: number | undefined, plan: ShadowPodPlan): ShadowPodPlan {
  return leftMs === undefined ? plan : { ...plan, requeueAfterMs: Math.min(leftMs, plan.requeueAfterMs ?? leftMs) };
}

function planWanted(observed: ShadowPodObservation): ShadowPodPlan {
  const { shadow, pod, deleting, fenced, mayRun } = observed;
  const status = shadow.status ?? {};
  if (pod !== undefined && !isPodOf(pod, shadow)) {
    // The pod of a former shadow pod of this name; it is on its way out or an orphan.
    const uid = pod.metadata.uid ?? '';
    return pod.metadata.deletionTimestamp === undefined ? { actions: [{ type: 'delete-pod', uid }] } : { actions: [] };
  }
  if (deleting || status.refusal !== undefined) return planEnd(observed, deleting);
  if (pod === undefined) {
    if (status.terminal !== undefined) return { actions: [] };
    if (status.podUID === undefined && !fenced) return { actions: mayRun ? [{ type: 'create-pod' }] : [] };
    if (isMadeAgain(shadow, observed.homeLostMs)) return planMakeAgain(observed, status);
    const why = fenced ? FENCED : (status.stopping ?? VANISHED);
    const terminal = endedStatus(why, observed.now);
    return { actions: [{ type: 'write-status', status: { ...status, phase: 'Failed', terminal } }] };
  }
  if (fenced && !isTerminal(pod.status)) return planFence(pod);
  const leftMs = stopsInMs(shadow, observed.homeLostMs);
  // Begun is done, also when its home comes back at that moment.
  if ((leftMs === 0 || status.stopping !== undefined) && !isTerminal(pod.status))
    return planStop(pod, status, observed.now);
  return within(leftMs, planRunning(observed, pod, status));
}

/** Its home waits for it no longer. */
function planStop(pod: Pod, status: ShadowPodStatus, now: number): ShadowPodPlan {
  const podUID = pod.metadata.uid ?? '';
  if (status.stopping === undefined)
    return { actions: [{ type: 'write-status', status: { ...status, podUID, stopping: STOPPED } }] };
  return endSoon(pod, now);
}

function planMakeAgain({ now }: ShadowPodObservation, status: ShadowPodStatus): ShadowPodPlan {
  const noted = status.madeAgain?.of === status.podUID;
  const note: ShadowPodAction[] = noted
    ? []
    : [{ type: 'write-status', status: madeAgainStatus(status, undefined, now) }];
  return { actions: [...note, { type: 'create-pod' }] };
}

/** It is stopped without the time that it asks for, which its replacement does not wait for. */
function planFence(pod: Pod): ShadowPodPlan {
  const { uid } = pod.metadata;
  if (uid === undefined || endsWithin(pod, FENCE_GRACE_SECONDS)) return { actions: [] };
  return { actions: [{ type: 'delete-pod', uid, gracePeriodSeconds: FENCE_GRACE_SECONDS }] };
}

function planEnd({ shadow, pod }: ShadowPodObservation, deleting: boolean): ShadowPodPlan {
  if (pod === undefined) return { actions: deleting ? [{ type: 'delete-shadow-pod' }] : [] };
  if (pod.metadata.deletionTimestamp !== undefined || pod.metadata.uid === undefined) return { actions: [] };
  const grace = shadow.status?.refusal === undefined ? {} : { gracePeriodSeconds: 0 };
  return { actions: [{ type: 'delete-pod', uid: pod.metadata.uid, ...grace }] };
}

function planRunning(observed: ShadowPodObservation, pod: Pod, status: ShadowPodStatus): ShadowPodPlan {
  if (isTerminal(pod.status)) return planEnded(observed, pod, status);
  const waiting = unschedulable(pod);
  if (waiting === undefined) return { actions: markMade(pod, status) };
  const leftMs = Date.parse(waiting.lastTransitionTime ?? '') + UNSCHEDULABLE_AFTER_MS - observed.now;
  if (leftMs > 0) return { actions: markMade(pod, status), requeueAfterMs: leftMs };
  // Nobody would try elsewhere.
  if (status.podUID !== undefined && observed.homeLostMs !== undefined) return { actions: [] };
  return {
    actions: [
      { type: 'write-status', status: { ...status, podUID: pod.metadata.uid ?? '', refusal: roomRefusal(waiting) } },
    ],
  };
}

function planEnded(observed: ShadowPodObservation, pod: Pod, status: ShadowPodStatus): ShadowPodPlan {
  const { shadow, homeLostMs, now } = observed;
  const { uid = '', deletionTimestamp } = pod.metadata;
  if (status.terminal !== undefined || pod.status === undefined) return { actions: [] };
  const removed = deletionTimestamp !== undefined;
  if ((removed || isEvicted(pod)) && isMadeAgain(shadow, homeLostMs)) {
    if (removed) return { actions: [] };
    const noted = madeAgainStatus({ ...status, podUID: uid }, pod, now);
    return {
      actions: [
        { type: 'write-status', status: noted },
        { type: 'delete-pod', uid },
      ],
    };
  }
  const terminal = removed ? endedHere(pod, status) : pod.status;
  const { phase = 'Failed' } = terminal;
  return { actions: [{ type: 'write-status', status: { ...status, podUID: uid, phase, terminal } }] };
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

const VANISHED = { reason: 'RemovedOnProvider', message: 'the pod was removed on the provider, not by its owner' };
const FENCED = {
  reason: 'Fenced',
  message:
    'the provider was out of contact with this cluster for too long and stopped the pod, so that it can be replaced',
};

function endedStatus(why: { reason: string; message: string }, now: number): PodStatus {
  const at = new Date(now).toISOString().slice(0, 19);
  return { phase: 'Failed', ...why, startTime: `${at}Z` };
}

/** Also before its end is written down, one that is removed here has not simply ended. */
function statusNow(pod: Pod, shadow: ShadowPod, deleting: boolean): PodStatus | undefined {
  if (pod.status === undefined) return undefined;
  if (deleting || pod.metadata.deletionTimestamp === undefined || !isTerminal(pod.status))
    return withoutGate(pod.status);
  return endedHere(pod, shadow.status);
}

/** The status of a pod that ended while it was removed on the provider. */
function endedHere(pod: Pod, status: ShadowPodStatus | undefined): PodStatus {
  const stopping = status?.stopping;
  return { ...removedStatus(pod, stopping?.message ?? whyRemoved(pod)), ...stopping };
}

/** What the consumer is told of a shadow pod. */
export function toRemotePod(observed: Pick<ShadowPodObservation, 'shadow' | 'pod' | 'deleting'>): RemotePod {
  const { shadow, pod, deleting } = observed;
  const own = pod !== undefined && isPodOf(pod, shadow) ? pod : undefined;
  const seen = shadow.status?.terminal ?? (own && statusNow(own, shadow, deleting));
  const status = seen && withoutGivenLimits(seen, shadow.spec.pod.spec);
  const refusal = shadow.status?.refusal;
  return {
    uid: shadow.spec.originUID,
    namespace: shadow.spec.originNamespace,
    name: shadow.spec.originName,
    deleting: deleting || own?.metadata.deletionTimestamp !== undefined,
    // Without a pod there is nothing to change yet.
    ...(own === undefined ? {} : { digest: changesDigest(shadow.spec.pod) }),
    ...(shadow.spec.fencing === undefined ? {} : { fencing: shadow.spec.fencing }),
    ...(status === undefined ? {} : { status: messagesInHomeWords(status, shadow) }),
    ...(refusal === undefined ? {} : { refusal: { ...refusal, message: inHomeWords(refusal.message, shadow) } }),
  };
}
