import type { PodVerdict, RemotePod } from '../exchange/pod-submission.ts';
import { fencingCondition } from '../fencing/fencing-rule.ts';
import { isReady, type Pod, type PodStatus } from '../kube-objects.ts';
import { isTerminal } from '../pod-phase.ts';
import {
  failedStatus,
  type LocalStatus,
  type ShownAddress,
  statusPatch,
  toLocalStatus,
  waitingStatus,
  withoutGenerations,
} from './local-status.ts';
import { NOT_OFFLOADED } from './namespace-offloading.ts';
import { changesDigest } from './pod-changes.ts';
import {
  isReadinessWithdrawn,
  isRemovalShown,
  removalStatus,
  withdrawReadiness,
  withoutReadiness,
} from './withdrawn-readiness.ts';

export type OffloadingAction =
  | { type: 'submit' }
  /** `verify`: ask the API server first whether the pod is really gone. */
  | { type: 'delete-remote'; gracePeriodSeconds?: number; verify: boolean }
  /** `unheard`: its peer is out of contact, and has stopped it for sure if it is not heard at that very moment. */
  | { type: 'delete-local'; unheard?: boolean }
  /** The owner changed the pod (labels, image, resources, debuggers). */
  | { type: 'update-remote'; digest: string }
  | { type: 'patch-status'; patch: { metadata: { uid: string }; status: Record<string, unknown> } }
  /** The provider had no room for it, or did not keep it: its offer is believed less. */
  | { type: 'note-refusal' }
  | { type: 'note-loss' }
  | { type: 'record-event'; eventType: 'Normal' | 'Warning'; reason: string; message: string };

export interface OffloadedPodObservation {
  /** The consumer's pod of this UID; undefined when it is gone (from a warm cache). */
  local: Pod | undefined;
  remote: RemotePod | undefined;
  /** Why it may not leave this cluster: its namespace is not offloaded. Undefined: it may, or is there already. */
  notOffloaded?: string | undefined;
  /** The remote pod's address, as it is to be shown here. */
  address?: ShownAddress;
  /** The address of the node to which it is bound. */
  hostIp?: string;
  /** The peer answers, and told all pods that it has: only then a missing remote pod is known to be absent. */
  remoteKnown: boolean;
  /** The peer was found unreachable by own failed contact. */
  peerUnreachable: boolean;
  /** It was replaced because its peer was lost, and what replaces it is not Ready yet; how long (ms) that may go on. */
  replacementPendingMs?: number | undefined;
  /** How long (ms) until the provider is sure to have stopped it, if it is fenced: its name may be used again then. */
  stoppedInMs?: number | undefined;
  /** The last answer to a submission of this pod in this process, and when the next try is due. */
  lastVerdict: { verdict: PodVerdict; retryAt: number; tries?: number } | undefined;
  /** Its provider is closed for want of room: this pod waits a while for it, instead of one after the other that fails. */
  held?: boolean | undefined;
  /** The digest of a change that the provider refused: the same one is not sent again. */
  refusedDigest?: string | undefined;
  now: number;
  /** Wall time, RFC 3339. */
  wallTime: string;
}

export interface OffloadedPodPlan {
  actions: OffloadingAction[];
  requeueAfterMs?: number;
}

/** How often it is looked whether a replacement is Ready by now. */
const REPLACEMENT_LOOK_MS = 500;

const NOTHING: OffloadedPodPlan = { actions: [] };

/** What the consumer does for one pod bound to a virtual node. */
export function planOffloadedPod(observed: OffloadedPodObservation): OffloadedPodPlan {
  const { local, remote, remoteKnown } = observed;
  if (local === undefined) {
    if (remote === undefined || !remoteKnown || remote.deleting) return NOTHING;
    return { actions: [{ type: 'delete-remote', verify: true }] };
  }
  if (observed.peerUnreachable) return planUnreachable(observed, local);
  if (local.metadata.deletionTimestamp !== undefined) return planDeletion(observed, local);
  if (observed.notOffloaded !== undefined) return planNotOffloaded(observed, local, observed.notOffloaded);
  if (isTerminal(local.status)) return planAfterEnd(remote, remoteKnown);
  if (remote === undefined) return remoteKnown ? planAbsent(observed, local) : NOTHING;
  if (remote.refusal !== undefined) return planRefusal(observed, local, remote.refusal);
  // What the peer said before it was lost does not make the pod ready again; what it says now will.
  if (!remoteKnown && isReadinessWithdrawn(local)) return NOTHING;
  if (remote.deleting && !isTerminal(remote.status)) return { actions: planRemoval(observed, local, remote) };
  return { actions: [...reflectStatus(observed, local, remote), ...planChange(observed, local, remote)] };
}

/** The provider ends a pod that its owner wants: nobody is sent there any more. What follows is told when it has ended. */
function planRemoval(
  { wallTime, address }: OffloadedPodObservation,
  local: Pod,
  remote: RemotePod,
): OffloadingAction[] {
  if (remote.status === undefined) return [];
  const { status, told } = removalStatus(toLocalStatus(remote.status, local, address), local, wallTime);
  const actions = patched(local, status);
  const { reason, message } = told;
  return actions.length === 0 || isRemovalShown(local)
    ? actions
    : [...actions, { type: 'record-event', eventType: 'Warning', reason, message }];
}

function planChange(
  { remoteKnown, refusedDigest }: OffloadedPodObservation,
  local: Pod,
  remote: RemotePod,
): OffloadingAction[] {
  if (!remoteKnown || remote.deleting || remote.digest === undefined || isTerminal(remote.status)) return [];
  const digest = changesDigest(local);
  return digest === remote.digest || digest === refusedDigest ? [] : [{ type: 'update-remote', digest }];
}

/** Nothing can be asked and nothing is known; but nobody shall be sent there. */
function planUnreachable(observed: OffloadedPodObservation, local: Pod): OffloadedPodPlan {
  const { wallTime, stoppedInMs } = observed;
  const leaving = local.metadata.deletionTimestamp !== undefined;
  if (isTerminal(local.status)) return leaving ? { actions: [{ type: 'delete-local' }] } : NOTHING;
  if (leaving && stoppedInMs === 0) return { actions: [{ type: 'delete-local', unheard: true }] };
  const patch = withdrawReadiness(local, wallTime);
  return {
    actions: patch === undefined ? [] : [{ type: 'patch-status', patch }],
    ...(leaving && stoppedInMs !== undefined ? { requeueAfterMs: stoppedInMs } : {}),
  };
}

/** The remote pod of an ended one stays for its logs, unless it never ran. */
function planAfterEnd(remote: RemotePod | undefined, remoteKnown: boolean): OffloadedPodPlan {
  if (remote?.refusal === undefined || remote.deleting || !remoteKnown) return NOTHING;
  return { actions: [{ type: 'delete-remote', verify: false }] };
}

function planDeletion(observed: OffloadedPodObservation, local: Pod): OffloadedPodPlan {
  const { remote, remoteKnown, replacementPendingMs = 0 } = observed;
  if (remote !== undefined) {
    const actions = reflectStatus(observed, local, remote);
    // It turned out healthy, and serves until the other one does.
    if (remoteKnown && !remote.deleting && replacementPendingMs > 0 && isReady(remote))
      return { actions, requeueAfterMs: Math.min(replacementPendingMs, REPLACEMENT_LOOK_MS) };
    const grace = local.metadata.deletionGracePeriodSeconds;
    if (remoteKnown && !remote.deleting) {
      actions.push({
        type: 'delete-remote',
        verify: false,
        ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
      });
    }
    return { actions };
  }
  return remoteKnown ? { actions: [{ type: 'delete-local' }] } : NOTHING;
}

function planAbsent(observed: OffloadedPodObservation, local: Pod): OffloadedPodPlan {
  if (wasStarted(local.status)) {
    const message = 'the pod ran on the provider and is not there any more';
    return { actions: lost(ended(observed, local, failedStatus('LostOnProvider', message))) };
  }
  const last = observed.lastVerdict;
  if (last === undefined) return { actions: [{ type: 'submit' }] };
  const leftMs = last.retryAt - observed.now;
  if (last.verdict.accepted) return planUnseen(observed, local, leftMs);
  const waits = last.verdict.kind !== 'room' || observed.held === true;
  const { actions } = planRefusal(observed, local, last.verdict, waits);
  if (!waits) return { actions };
  return leftMs > 0 ? { actions, requeueAfterMs: leftMs } : { actions: [...actions, { type: 'submit' }] };
}

/** It fails, so that its controller makes another one, which stays at home; before that, what its peer may have of it has to go. */
function planNotOffloaded(observed: OffloadedPodObservation, local: Pod, message: string): OffloadedPodPlan {
  const { remote, remoteKnown } = observed;
  if (!remoteKnown || isTerminal(local.status)) return NOTHING;
  if (remote === undefined) return { actions: ended(observed, local, failedStatus(NOT_OFFLOADED, message)) };
  const actions: OffloadingAction[] = patched(local, waitingStatus(NOT_OFFLOADED, message));
  if (!remote.deleting) actions.push({ type: 'delete-remote', verify: false });
  return { actions };
}

/** Its provider took it and has nothing of it: it is sent again, less and less often, and fails in the end. */
function planUnseen(observed: OffloadedPodObservation, local: Pod, leftMs: number): OffloadedPodPlan {
  const tries = observed.lastVerdict?.tries ?? 1;
  const message = 'the provider says that it takes the pod, and has none';
  if (leftMs > 0) {
    const actions = tries > 1 ? patched(local, waitingStatus(NOT_SHOWN, message)) : [];
    return { actions, requeueAfterMs: leftMs };
  }
  if (tries < UNSEEN_TRIES) return { actions: [{ type: 'submit' }] };
  return { actions: lost(ended(observed, local, failedStatus(NOT_SHOWN, message))) };
}

/** An end of a pod that is its provider's doing. Noted after it was written: until then it is planned again and again. */
function lost(actions: OffloadingAction[]): OffloadingAction[] {
  return actions.length === 0 ? actions : [...actions, { type: 'note-loss' }];
}

/** @param waits whether the pod waits for its provider to think better of it */
function planRefusal(
  observed: OffloadedPodObservation,
  local: Pod,
  refusal: { kind: 'room' | 'policy' | 'later'; reason: string; message: string },
  waits = refusal.kind !== 'room',
): OffloadedPodPlan {
  const wanted = waits ? waitingStatus : failedStatus;
  const actions: OffloadingAction[] = patched(local, wanted(refusal.reason, refusal.message));
  // A refusal to a submission was noted when it came.
  if (observed.remote !== undefined && refusal.kind === 'room' && actions.length > 0)
    actions.push({ type: 'note-refusal' });
  if (refusal.kind !== 'later' && actions.length > 0) {
    actions.push({ type: 'record-event', eventType: 'Warning', reason: refusal.reason, message: refusal.message });
  }
  if (observed.remote !== undefined && !observed.remote.deleting)
    actions.push({ type: 'delete-remote', verify: false });
  return { actions };
}

function reflectStatus(observed: OffloadedPodObservation, local: Pod, remote: RemotePod): OffloadingAction[] {
  if (remote.status === undefined || isTerminal(local.status)) return [];
  const fencing = remote.fencing && fencingCondition(remote.fencing.afterSeconds * 1_000);
  const told = toLocalStatus(remote.status, local, observed.address, fencing);
  const shown = isTakenOver(observed, local, remote) ? told : withoutGenerations(told);
  const { hostIp } = observed;
  const actions = ended(
    observed,
    local,
    remote.status.hostIP === undefined || hostIp === undefined ? shown : { ...shown, hostIP: hostIp },
  );
  // Containers that are started again for ever do not fail their pod: its provider does.
  return shown.phase === 'Failed' && (local.spec.restartPolicy ?? 'Always') === 'Always' ? lost(actions) : actions;
}

/** Whether its provider has seen the pod as it is now: that generation is the observed one. */
function isTakenOver({ refusedDigest }: OffloadedPodObservation, local: Pod, { digest }: RemotePod): boolean {
  if (digest === undefined || local.status?.observedGeneration === local.metadata.generation) return true;
  return [digest, refusedDigest].includes(changesDigest(local));
}

/** As patched; an end for which the pod's containers are not the reason is told by an event too. */
function ended({ wallTime }: OffloadedPodObservation, local: Pod, wanted: LocalStatus): OffloadingAction[] {
  const actions = patched(local, isTerminal(wanted) ? withoutReadiness(wanted, local, wallTime) : wanted);
  const { reason, message = '' } = wanted;
  if (actions.length === 0 || !isTerminal(wanted) || reason === undefined) return actions;
  return [...actions, { type: 'record-event', eventType: 'Warning', reason, message }];
}

function patched(local: Pod, wanted: LocalStatus): OffloadingAction[] {
  const patch = statusPatch(local, wanted);
  return patch === undefined ? [] : [{ type: 'patch-status', patch }];
}

/** True when containers of the pod have run, or may have: it must not be started a second time. */
export function wasStarted(status: PodStatus | undefined): boolean {
  return status?.startTime !== undefined;
}

const FIRST_RETRY_MS = { policy: 30_000, later: 1_000 };
const LAST_RETRY_MS = { policy: 300_000, later: 30_000 };
/** An accepted pod shows up in the session's stream within moments; after this long it is submitted once more (harmless). */
const ACCEPTED_RECHECK_MS = 10_000;
/** How often, each time after twice as long, before it fails. */
const UNSEEN_TRIES = 4;
const NOT_SHOWN = 'NotShownByProvider';
/** A pod that waits for room where there was none asks again after this long. */
const HELD_RETRY_MS = 3_000;

/** When to submit again after a verdict. @param tries how many submissions got this kind of answer in a row, at least 1 */
export function retryDelayMs(verdict: PodVerdict, tries: number): number {
  if (verdict.accepted) return ACCEPTED_RECHECK_MS * 2 ** (tries - 1);
  if (verdict.kind === 'room') return HELD_RETRY_MS;
  return Math.min(LAST_RETRY_MS[verdict.kind], FIRST_RETRY_MS[verdict.kind] * 2 ** (tries - 1));
}
