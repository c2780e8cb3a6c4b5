import { isDuration, parseDuration } from '../duration.ts';
import { controllerOf, type Pod } from '../kube-objects.ts';
import { FAILOVER_AFTER_ANNOTATION } from '../labels.ts';

/** `spec.failover` of a Federation and of an Offloading: durations such as `5s`, or `Never`. */
export interface FailoverSettings {
  after?: string;
  jobsAfter?: string;
}

/** What happens to a pod whose peer is lost. */
export type FailoverRule =
  /** `stoppedInMs`: from now until its provider has stopped it for sure, if it is fenced. */
  { move: true; afterMs: number; stoppedInMs?: number } | { move: false; why: string };

export const NEVER = 'Never';
/** product.md: replicas Ready elsewhere ≤ 10 s after the loss: 3 s to notice it, 5 s to see whether it passes, 2 s to start. */
export const DEFAULT_AFTER = '5s';
/**
 * A job's pod may have ended there, or be about to: it is not run a second time for a short break. Kubernetes' own time for
 * pods on a lost node (DefaultTolerationSeconds).
 */
export const DEFAULT_JOBS_AFTER = '5m';

/**
 * Whether, and how long after the loss of its peer was noticed, a pod is replaced: by its own annotation, else by its
 * namespace's Offloading, else by the Federation.
 * @param stoppedInMs from now until its provider has stopped it for sure; undefined for a pod that is not fenced
 */
export function failoverRuleOf(
  pod: Pod,
  namespace: FailoverSettings | undefined,
  federation: FailoverSettings | undefined,
  stoppedInMs?: number,
): FailoverRule {
  const controller = controllerOf(pod);
  if (controller === undefined) return { move: false, why: 'no controller would make another one' };
  if (controller.kind === 'DaemonSet') return { move: false, why: 'it belongs to its node' };
  if (controller.kind === 'StatefulSet' && stoppedInMs === undefined)
    return { move: false, why: 'there must never be two of it' };
  const isJob = controller.kind === 'Job';
  const setting = isJob ? 'jobsAfter' : 'after';
  const asked = pod.metadata.annotations?.[FAILOVER_AFTER_ANNOTATION];
  const wanted = [asked, namespace?.[setting], federation?.[setting]].find(isSetting);
  const after = wanted ?? (isJob ? DEFAULT_JOBS_AFTER : DEFAULT_AFTER);
  if (after === NEVER) return { move: false, why: 'its failover is set to Never' };
  return { move: true, afterMs: parseDuration(after), ...(stoppedInMs === undefined ? {} : { stoppedInMs }) };
}

/** How long (ms) what is no pod waits for a lost peer: as the pods of its namespace; undefined where these wait for ever. */
export function failoverMsOf(
  namespace: FailoverSettings | undefined,
  federation: FailoverSettings | undefined,
): number | undefined {
  const after = [namespace?.after, federation?.after].find(isSetting) ?? DEFAULT_AFTER;
  return after === NEVER ? undefined : parseDuration(after);
}

/** An annotation is checked by nobody: what cannot be read does not count. */
function isSetting(text: string | undefined): text is string {
  return text !== undefined && (text === NEVER || isDuration(text));
}
