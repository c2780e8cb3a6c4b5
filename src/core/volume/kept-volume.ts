import { KEEP_ANNOTATION, LEFT_AT_ANNOTATION, type PersistentVolumeClaim } from './volume-objects.ts';

export type KeptPlan =
  | { type: 'note'; leftAt: string }
  /** Its home is a member again: the data is its own. */
  | { type: 'forget' }
  | { type: 'delete' }
  /** @param ms until there is more to do; undefined: something else has to happen */
  | { type: 'wait'; ms: number | undefined };

/** Where a date cannot be read, somebody else wrote it: the time begins anew, and nothing is deleted for it. */
function leftAtOf({ metadata }: PersistentVolumeClaim): number | undefined {
  const at = Date.parse(metadata.annotations?.[LEFT_AT_ANNOTATION] ?? '');
  return Number.isNaN(at) ? undefined : at;
}

/** What becomes of data whose home may be no member any more. @param now ms since 1970 */
export function planKept(
  claim: PersistentVolumeClaim,
  { isGone, keepMs, now }: { isGone: boolean; keepMs: number; now: number },
): KeptPlan {
  const { annotations = {} } = claim.metadata;
  if (!isGone) return LEFT_AT_ANNOTATION in annotations ? { type: 'forget' } : { type: 'wait', ms: undefined };
  const leftAt = leftAtOf(claim);
  if (leftAt === undefined || leftAt > now) {
    return { type: 'note', leftAt: new Date(now).toISOString().replace(/\.\d+Z$/, 'Z') };
  }
  if (annotations[KEEP_ANNOTATION] === 'true') return { type: 'wait', ms: undefined };
  const leftMs = leftAt + keepMs - now;
  return leftMs > 0 ? { type: 'wait', ms: leftMs } : { type: 'delete' };
}
