import { CodedError, hasCode, messageOf } from '../../core/coded-error.ts';
import type { PodVerdict } from '../../core/exchange/pod-submission.ts';
import type { ShadowPodStatus } from '../../core/shadow-pod/shadow-pod.ts';
import { ApiError, isNotFound } from '../../kube/api-error.ts';

/** A no that may pass: the consumer tries again here. */
export function later(reason: string, message: string): PodVerdict {
  return { accepted: false, kind: 'later', reason, message };
}

/** The twin namespace is gone or going, or the agent's rights in it are. */
export function isTwinBroken(error: unknown): boolean {
  return isNotFound(error) || isTerminating(error) || isNotAllowed(error);
}

/** What stands in the way of pods there is the namespace, not the pod. */
function isTerminating(error: unknown): boolean {
  const causes =
    error instanceof ApiError ? (error.details as { causes?: { reason?: string }[] } | undefined)?.causes : [];
  return causes?.some(({ reason }) => reason === 'NamespaceTerminating') === true;
}

/** RBAC's no to the agent, other than admission's to the pod (apiserver/pkg/endpoints/handlers/responsewriters, ForbiddenStatusError). */
function isNotAllowed(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403 && /User "[^"]*" cannot /.test(error.message);
}

/** Longest message of a refusal: it may name each field of a large pod, and is stored with the pod at its home. */
const MAX_MESSAGE = 2_000;

/** The API server's own words, names of policies and quotas included: they are what the pod's owner needs to change it. */
export function verdictOfError(error: unknown): PodVerdict {
  const verdict = toVerdict(error);
  return verdict.accepted || verdict.message.length <= MAX_MESSAGE
    ? verdict
    : { ...verdict, message: `${verdict.message.slice(0, MAX_MESSAGE)}…` };
}

/** The API server's no to a pod (403 pod security and quota, 422 validation, 400) is the provider's policy; the rest may pass. */
function toVerdict(error: unknown): PodVerdict {
  if (isTwinBroken(error))
    return later(
      'NamespaceRemoved',
      `the pod's namespace on the provider was removed, and is made anew: ${messageOf(error)}`,
    );
  if (error instanceof ApiError && (error.status === 403 || error.status === 422 || error.status === 400)) {
    const quota = /exceeded quota/.test(error.message);
    return quota
      ? { accepted: false, kind: 'room', reason: 'ExceededQuota', message: error.message }
      : { accepted: false, kind: 'policy', reason: 'RefusedByProvider', message: error.message };
  }
  if (hasCode(error, 'FailedPrecondition')) return later('NameTaken', error.message);
  if (error instanceof CodedError && error.code === 'Conflict') {
    return { accepted: false, kind: 'policy', reason: 'NamespaceTaken', message: error.message };
  }
  if (hasCode(error, 'ResourceExhausted')) return later('TooMuch', error.message);
  return later('ProviderError', messageOf(error));
}

/** The API server's no to the pod itself; undefined for what may pass, or concerns the namespace. */
export function refusalOf(error: unknown): Refusal | undefined {
  const verdict = verdictOfError(error);
  if (verdict.accepted || verdict.kind === 'later' || !(error instanceof ApiError)) return undefined;
  const { kind, reason, message } = verdict;
  return { kind, reason, message };
}

type Refusal = NonNullable<ShadowPodStatus['refusal']>;
