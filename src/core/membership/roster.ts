import { judgeKeys, memberKeysOf } from './member-keys.ts';
import type { PeerRecord } from './peer-record.ts';
import { versionOf } from './record-version.ts';
import { isVouchedBy, problemOfRecord } from './signed-record.ts';

export type RecordDecision =
  | { type: 'add' | 'update' | 'leave'; record: PeerRecord }
  | { type: 'reject'; id: string; reason: string };

/**
 * What to do with records that a member told us. A known member's newer record replaces the older; an unknown one is
 * admitted when a member that we know vouched for it (also one admitted by the same batch). Order of the input is irrelevant.
 * @param unusable what is stored of members in place of a record that can be used: theirs is taken from whoever tells it
 */
export function considerRecords(
  told: readonly PeerRecord[],
  known: ReadonlyMap<string, PeerRecord>,
  own: PeerRecord,
  unusable: ReadonlyMap<string, PeerRecord> = new Map(),
): RecordDecision[] {
  const decisions: RecordDecision[] = [];
  const members = new Map([...known, [own.id, own]]);
  let open = told.filter((record) => record.id !== own.id);
  for (let progress = true; progress; ) {
    progress = false;
    const unsettled: PeerRecord[] = [];
    for (const record of open) {
      const stored = members.has(record.id) ? undefined : unusable.get(record.id);
      const decision = stored === undefined ? considerOne(record, members) : considerRepair(record, stored);
      if (decision === 'unknown-voucher') unsettled.push(record);
      else if (decision !== 'old') {
        decisions.push(decision);
        if (decision.type === 'leave') members.delete(record.id);
        else if (decision.type !== 'reject') members.set(record.id, record);
        progress = true;
      }
    }
    open = unsettled;
  }
  return [
    ...decisions,
    ...open.map((record) => ({
      type: 'reject' as const,
      id: record.id,
      reason: 'no member that we know vouches for it',
    })),
  ];
}

function considerOne(
  record: PeerRecord,
  members: ReadonlyMap<string, PeerRecord>,
): RecordDecision | 'old' | 'unknown-voucher' {
  const before = members.get(record.id);
  if (before !== undefined && versionOf(before) >= versionOf(record)) return considerOlder(record, before);
  // Somebody who left before we knew of it.
  if (before === undefined && record.left === true) return 'old';
  const problem = problemOfRecord(record);
  if (problem !== undefined) return { type: 'reject', id: record.id, reason: problem };
  if (before !== undefined && !isByKeyOf(record, before))
    return { type: 'reject', id: record.id, reason: 'its key does not come after the one that is known' };
  if (record.left === true) return { type: 'leave', record };
  if (before !== undefined)
    return { type: 'update', record: { ...record, ...(before.vouch === undefined ? {} : { vouch: before.vouch }) } };
  const voucher = members.get(record.vouch?.by ?? '');
  if (voucher === undefined) return 'unknown-voucher';
  if (!isVouchedBy(record, voucher))
    return { type: 'reject', id: record.id, reason: `the vouching of ${voucher.name} is forged` };
  return { type: 'add', record };
}

function considerRepair(record: PeerRecord, stored: PeerRecord): RecordDecision {
  const problem = problemOfRecord(record);
  if (problem !== undefined) return { type: 'reject', id: record.id, reason: problem };
  if (isCertificateOf(record.id, stored) && !isByKeyOf(record, stored))
    return { type: 'reject', id: record.id, reason: 'its key does not come after the one that is stored' };
  return { type: record.left === true ? 'leave' : 'update', record };
}

/** Whether a record that is spoiled has the member's certificate still. */
function isCertificateOf(id: string, { certificate }: PeerRecord): boolean {
  try {
    return memberKeysOf(Buffer.from(certificate, 'base64')).id === id;
  } catch {
    return false;
  }
}

/** Who holds a key that was replaced can still sign what looks new. */
function considerOlder(record: PeerRecord, before: PeerRecord): RecordDecision | 'old' {
  if (record.incarnation <= before.incarnation) return 'old';
  const reason = problemOfRecord(record) ?? 'it is signed by a key that its owner replaced';
  return { type: 'reject', id: record.id, reason };
}

/** True when a record is by the key of an earlier one of the same member, or one that came after it. */
export function isByKeyOf(record: PeerRecord, before: PeerRecord): boolean {
  if (record.certificate === before.certificate) return true;
  const keysOf = ({ certificate }: PeerRecord) => memberKeysOf(Buffer.from(certificate, 'base64'));
  try {
    return ['Present', 'Later'].includes(judgeKeys(keysOf(before), keysOf(record)));
  } catch {
    return false;
  }
}

/** The name of the Peer object of a record: the member's name, told apart by the ID where another member has it already. */
export function peerObjectName(record: PeerRecord, taken: ReadonlyMap<string, string>): string {
  const owner = taken.get(record.name);
  return owner === undefined || owner === record.id ? record.name : `${record.name}-${record.id.slice(0, 6)}`;
}
