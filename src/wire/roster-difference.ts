import Type from 'typebox';
import { Check } from 'typebox/value';
import { CodedError } from '../core/coded-error.ts';
import type { PeerRecord } from '../core/membership/peer-record.ts';
import { PeerRecordSchema } from './endpoints.ts';

/** The records that the caller lacks, and the digest of all that the callee has. */
export interface RosterDifference {
  digest: string;
  records: PeerRecord[];
}

const Schema = Type.Object({
  digest: Type.String({ maxLength: 64 }),
  records: Type.Array(PeerRecordSchema, { maxItems: 500 }),
});

/** Throws InvalidArgument. */
export function parseRosterDifference(answer: unknown): RosterDifference {
  if (!Check(Schema, answer)) throw new CodedError('InvalidArgument', 'the peer answered no difference of rosters');
  return answer as RosterDifference;
}
