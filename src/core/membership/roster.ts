import { claimedKeysIn, judgeKeys, laterKeysOf, type MemberKeys, memberKeysOf } from './member-keys.ts';
import type { PeerRecord } from './peer-record.ts';
import { versionOf } from './record-version.ts';
import { isVouchedBy, problemOfRecord } from './signed-record.ts';

export type RecordDecision =
  | { type: 'add' | 'update' | 'leave'; record: PeerRecord }
  | { type: 'reject'; id: string; reason: string };

/** What is known when a record is looked at. */
export interface KnownMembers {
  /** The record of a member, the own one included. */
  get(id: string): PeerRecord | undefined;
  /** What is stored of a member in place of a record that can be used: its own is taken from whoever tells it. */
  unusable(id: string): PeerRecord | undefined;
}

/** `old`: it says nothing new. `unknown-voucher`: nobody that is known admitted this newcomer. */
export type RecordVerdict = RecordDecision | 'old' | 'unknown-voucher';

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
  const view: KnownMembers = { get: (id) => members.get(id), unusable: (id) => unusable.get(id) };
  for (const record of inOrderOfVouching(told, view)) {
    if (record.id === own.id) continue;
    const verdict = considerRecord(record, view);
    if (verdict === 'old') continue;
    const decision = verdict === 'unknown-voucher' ? unvouched(record) : verdict;
    decisions.push(decision);
    if (decision.type === 'leave') members.delete(record.id);
    else if (decision.type !== 'reject') members.set(record.id, record);
  }
  return decisions;
}

/**
 * The same records, each once: first those about members, then newcomers, each after the one that vouches for it where that is
 * among them, and at the end those that hang on nobody known. Costs nothing but a look at each, in whatever order they come. Who
 * takes one out decides about it before the next: whether it came in is looked up then.
 */
export function* inOrderOfVouching(told: readonly PeerRecord[], known: KnownMembers): Generator<PeerRecord, void> {
  const waiting = new Map<string, PeerRecord[]>();
  const isMember = (id: string): boolean => known.get(id) !== undefined;
  const isKnown = (id: string): boolean => isMember(id) || known.unusable(id) !== undefined;
  const newcomers: PeerRecord[] = [];
  for (const record of told) {
    if (isKnown(record.id)) yield record;
    else newcomers.push(record);
  }
  const ready: PeerRecord[] = [];
  for (const record of newcomers) {
    const by = record.vouch?.by ?? '';
    const beside = waiting.get(by);
    if (isMember(by)) ready.push(record);
    else if (beside !== undefined) beside.push(record);
    else waiting.set(by, [record]);
  }
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    yield next;
    const brought = isMember(next.id) ? waiting.get(next.id) : undefined;
    if (brought === undefined) continue;
    waiting.delete(next.id);
    ready.push(...brought);
  }
  for (const rest of waiting.values()) yield* rest;
}

/** What to do with one record, of somebody else. Verifies each signature of it once, and none when it says nothing new. */
export function considerRecord(record: PeerRecord, known: KnownMembers): RecordVerdict {
  const before = known.get(record.id);
  const stored = before === undefined ? known.unusable(record.id) : undefined;
  if (stored !== undefined) return considerRepair(record, stored);
  if (before !== undefined) return considerKnown(record, before);
  // Somebody who left before we knew of it.
  if (record.left === true) return 'old';
  const voucher = known.get(record.vouch?.by ?? '');
  if (voucher === undefined) return 'unknown-voucher';
  const problem = problemOfRecord(record);
  if (problem !== undefined) return { type: 'reject', id: record.id, reason: problem };
  if (!isVouchedBy(record, voucher))
    return { type: 'reject', id: record.id, reason: `the vouching of ${voucher.name} is forged` };
  return { type: 'add', record };
}

/** At most as many signatures as `considerRecord` verifies for this record; the same for a certificate that has to be read. */
export function costOfRecord(record: PeerRecord, known: KnownMembers): number {
  const before = known.get(record.id);
  if (before === undefined && known.unusable(record.id) === undefined)
    return record.left === true || known.get(record.vouch?.by ?? '') === undefined ? 0 : 2 + linksAtMost(record);
  if (before === undefined) return 2 + 2 * linksAtMost(record);
  if (isSame(record, before)) return 0;
  return record.certificate === before.certificate ? 1 : 1 + linksAtMost(record);
}

/** Characters of a certificate without a chain, at least, and what each key that was replaced adds to it (DER in base64). */
const PLAIN_CERTIFICATE_CHARS = 400;
const LINK_CHARS = 172;

function linksAtMost({ certificate }: PeerRecord): number {
  return Math.max(0, Math.ceil((certificate.length - PLAIN_CERTIFICATE_CHARS) / LINK_CHARS));
}

/** The record is refused, since it hangs on nobody known. */
export function unvouched({ id }: PeerRecord): RecordDecision {
  return { type: 'reject', id, reason: 'no member that we know vouches for it' };
}

/** As far as anything would be done about a difference. */
function isSame(record: PeerRecord, before: PeerRecord): boolean {
  return (
    record.signature === before.signature &&
    record.certificate === before.certificate &&
    record.incarnation === before.incarnation
  );
}

function considerKnown(record: PeerRecord, before: PeerRecord): RecordVerdict {
  if (isSame(record, before)) return 'old';
  if (versionOf(before) >= versionOf(record)) return considerOlder(record, before);
  const problem = problemOfRecord(record, before);
  if (problem !== undefined) return { type: 'reject', id: record.id, reason: problem };
  if (!isFollowing(claimedKeysIn(certificateOf(before)), claimedKeysIn(certificateOf(record))))
    return { type: 'reject', id: record.id, reason: 'its key does not come after the one that is known' };
  if (record.left === true) return { type: 'leave', record };
  return { type: 'update', record: { ...record, ...(before.vouch === undefined ? {} : { vouch: before.vouch }) } };
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
  const reason = problemOfRecord(record, before) ?? 'it is signed by a key that its owner replaced';
  return { type: 'reject', id: record.id, reason };
}

/** True when a record is by the key of an earlier one of the same member, whose chain was verified, or one that came after it. */
export function isByKeyOf(record: PeerRecord, before: PeerRecord): boolean {
  if (record.certificate === before.certificate) return true;
  try {
    const known = claimedKeysIn(certificateOf(before));
    return isFollowing(known, laterKeysOf(certificateOf(record), known));
  } catch {
    return false;
  }
}

const certificateOf = ({ certificate }: PeerRecord): Buffer => Buffer.from(certificate, 'base64');

function isFollowing(known: MemberKeys, shown: MemberKeys): boolean {
  return ['Present', 'Later'].includes(judgeKeys(known, shown));
}

/** The name of the Peer object of a record: the member's name, told apart by the ID where another member has it already. */
export function peerObjectName(record: PeerRecord, taken: ReadonlyMap<string, string>): string {
  const owner = taken.get(record.name);
  return owner === undefined || owner === record.id ? record.name : `${record.name}-${record.id.slice(0, 6)}`;
}
