import { isDuration, parseDuration } from '../duration.ts';
import type { PodVerdict } from '../exchange/pod-submission.ts';
import { type Condition, controllerOf, type Pod } from '../kube-objects.ts';
import { FENCING_AFTER_ANNOTATION, FENCING_ANNOTATION } from '../labels.ts';

/** `spec.fencing` of a Federation and of an Offloading. */
export interface FencingSettings {
  mode?: FencingMode;
  after?: string;
}

/** Which pods are fenced: all of them, those of StatefulSets, or none. */
export type FencingMode = 'Required' | 'StatefulSets' | 'None';

/** Long enough for the restart of an agent and for short breaks of a link; what is fenced is away for at least as long. */
export const DEFAULT_FENCING_AFTER = '30s';
/** Below this a busy machine would be taken for a lost one. */
export const MIN_FENCING_MS = 10_000;
/** What a provider takes at most: a day. */
export const MAX_FENCING_MS = 86_400_000;

/** Shows at home that, and after which time, the provider stops the pod. */
export const FENCING_CONDITION = 'headcut.dev/Fencing';

/**
 * How long (ms) its consumer may be out of contact before the provider stops the pod; undefined for one that is not fenced. What
 * its provider was told stands on the pod and counts, else its annotations, its namespace's Offloading, the Federation.
 */
export function fencingAfterMs(
  pod: Pod,
  namespace: FencingSettings | undefined,
  federation: FencingSettings | undefined,
): number | undefined {
  const told = toldFencingMs(pod);
  if (told !== undefined) return told;
  const asked = pod.metadata.annotations?.[FENCING_ANNOTATION];
  const mode = isMode(asked) ? asked : (namespace?.mode ?? federation?.mode ?? 'StatefulSets');
  if (mode === 'None' || (mode === 'StatefulSets' && controllerOf(pod)?.kind !== 'StatefulSet')) return undefined;
  const after = [pod.metadata.annotations?.[FENCING_AFTER_ANNOTATION], namespace?.after, federation?.after].find(
    (text) => text !== undefined && isDuration(text),
  );
  return Math.min(MAX_FENCING_MS, Math.max(MIN_FENCING_MS, parseDuration(after ?? DEFAULT_FENCING_AFTER)));
}

/** The condition of a pod that its provider fences. */
export function fencingCondition(afterMs: number): Condition {
  const seconds = Math.round(afterMs / 1_000);
  return {
    type: FENCING_CONDITION,
    status: 'True',
    reason: `After${seconds}s`,
    message: `its provider stops it when it has been out of contact with this cluster for ${seconds} s; only then is it replaced`,
  };
}

/** The answer for a fenced pod in the place of a peer whose version cannot fence; it is tried again from time to time. */
export function withoutFencing(peer: string): PodVerdict {
  const message = `the agent of ${peer} is of a version that cannot stop this pod when contact is lost: upgrade headcut there, or give the pod the annotation ${FENCING_ANNOTATION}: None`;
  return { accepted: false, kind: 'policy', reason: 'FencingUnsupported', message };
}

function toldFencingMs(pod: Pod): number | undefined {
  const reason = pod.status?.conditions?.find(({ type }) => type === FENCING_CONDITION)?.reason;
  const seconds = /^After(\d+)s$/.exec(reason ?? '')?.[1];
  return seconds === undefined ? undefined : Math.min(MAX_FENCING_MS, Number(seconds) * 1_000);
}

/** An annotation is checked by nobody: what cannot be read does not count. */
function isMode(text: string | undefined): text is FencingMode {
  return text === 'Required' || text === 'StatefulSets' || text === 'None';
}
