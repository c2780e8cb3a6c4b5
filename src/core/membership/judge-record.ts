import type { PeerRecord } from './peer-record.ts';
import { considerRecord, inOrderOfVouching, type KnownMembers, type RecordDecision, unvouched } from './roster.ts';

/** What decides about records that somebody tells. */
export interface Beliefs {
  known: KnownMembers;
  /** Whether a record is of no interest, whatever it says; a look at IDs and no more. */
  isIgnored(record: PeerRecord): boolean;
  /** Members that left: theirs is looked at only where it says that they are back. */
  removed: { has(id: string): boolean; refuses(record: PeerRecord): boolean };
  /** Why a newcomer cannot come in, before anything of it is verified; undefined when it can. */
  problemOf(newcomer: PeerRecord, isWanted: boolean): string | undefined;
}

/** Who told something, and whether this cluster takes over what he says: the inviter of one that joins, and this cluster itself. */
export interface Told {
  from: string;
  isWanted: boolean;
}

/** Those that may say something new, each after the one that vouches for it; who takes one out decides about it before the next. */
export function* worthALook(
  records: readonly PeerRecord[],
  { known, isIgnored }: Beliefs,
): Generator<PeerRecord, void> {
  for (const record of inOrderOfVouching(records, known)) if (!isIgnored(record)) yield record;
}

/** Why a newcomer is refused before anything of its record is verified. To be asked of records that cost something. */
export function objectionTo(
  record: PeerRecord,
  isWanted: boolean,
  { known, problemOf }: Beliefs,
): RecordDecision | undefined {
  if (known.get(record.id) !== undefined || known.unusable(record.id) !== undefined) return undefined;
  const reason = problemOf(record, isWanted);
  return reason === undefined ? undefined : { type: 'reject', id: record.id, reason };
}

/**
 * What to do with a record; undefined when it says nothing new. Verifies as many signatures as the record costs at most.
 * @param cost of the record (`costOfRecord`): one of a member that left that costs nothing says nothing
 */
export function judgeRecord(record: PeerRecord, cost: number, { known, removed }: Beliefs): RecordDecision | undefined {
  if (removed.has(record.id) && (cost === 0 || removed.refuses(record))) return undefined;
  const verdict = considerRecord(record, known);
  if (verdict === 'unknown-voucher') return unvouched(record);
  return verdict === 'old' ? undefined : verdict;
}
