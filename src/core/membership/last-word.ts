import { claimedKeysIn } from './member-keys.ts';
import type { PeerRecord } from './peer-record.ts';
import { generationIn, versionOf } from './record-version.ts';

/** The last that was heard of a member that left. */
export interface LastWord {
  id: string;
  /** Of its last record (core/membership/record-version). */
  version: number;
  /** The fingerprint of its last key. */
  key: string;
  /** The record itself, for members that did not hear it; only of those that left lately. */
  record?: PeerRecord;
  /** It was let in again by a record that is older than this, as from a backup; it goes on from here once it hears it. */
  back?: true;
}

export function lastWordOf(record: PeerRecord): LastWord {
  const key = claimedKeysIn(Buffer.from(record.certificate, 'base64')).fingerprints.at(-1) ?? '';
  return { id: record.id, version: versionOf(record), key, record };
}

/** True when a record comes after the last word of its member, by its keys. What it says of these is not verified. */
export function isAfter(record: PeerRecord, left: LastWord): boolean {
  return versionOf(record) > left.version && isByKey(record, left);
}

function isByKey({ certificate }: PeerRecord, { version, key }: LastWord): boolean {
  try {
    return claimedKeysIn(Buffer.from(certificate, 'base64')).fingerprints[generationIn(version)] === key;
  } catch {
    return false;
  }
}
