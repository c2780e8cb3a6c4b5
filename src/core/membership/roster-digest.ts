import { createHash } from 'node:crypto';
import type { PeerRecord } from './peer-record.ts';
import { versionOf } from './record-version.ts';

/**
 * Two members compare what they know: first one digest of all members, and where that differs the versions of each, so that
 * only records travel that the other side has not. Who left is not part of the digest: members that came later never hear of it.
 */

/** Versions of records (record-version) by the short form of the member's ID. */
export type RosterVersions = Record<string, number>;

/** 80 bits: nobody makes a key whose ID starts like that of another. */
const SHORT_ID_CHARS = 16;
/** No record of this member is wanted, however new. */
const NOTHING_NEWER = Number.MAX_SAFE_INTEGER;

const shortId = (id: string): string => id.slice(0, SHORT_ID_CHARS);

/** The same for all who know the same version of the same members; the order is irrelevant. */
export function digestOfRoster(records: readonly PeerRecord[]): string {
  const lines = records.map((record) => `${record.id} ${versionOf(record)}`).sort();
  return createHash('sha256').update(lines.join('\n')).digest('base64url');
}

/** As many as the question for a difference takes (wire/endpoints). */
const MAX_VERSIONS = 1_200;

/**
 * What this member has, for another one to tell what it lacks.
 * @param left members that left, by their last records, or the versions of these
 * @param refused IDs of members of which nothing is believed any more
 */
export function versionsOf(
  members: readonly PeerRecord[],
  left: readonly (PeerRecord | { id: string; version: number })[],
  refused: Iterable<string>,
): RosterVersions {
  const refusing: [string, number][] = [...refused].map((id) => [shortId(id), NOTHING_NEWER]);
  const leaving = left.map((one): [string, number] => [
    shortId(one.id),
    'version' in one ? one.version : versionOf(one),
  ]);
  const present = members.map((record): [string, number] => [shortId(record.id), versionOf(record)]);
  const refusedIds = new Set(refusing.map(([id]) => id));
  const all = new Map([...leaving, ...present.filter(([id]) => !refusedIds.has(id)), ...refusing]);
  // Of more the ones that went long ago are left out: what is told of them anew is refused as before.
  const most = [...all].slice(Math.max(0, all.size - MAX_VERSIONS));
  return Object.fromEntries(most);
}

/** The records that somebody who has `versions` lacks: members it does not know or knows less of, and last words of those it takes for members. */
export function recordsMissingFrom(
  versions: Readonly<RosterVersions>,
  members: readonly PeerRecord[],
  left: readonly PeerRecord[],
): PeerRecord[] {
  const before = ({ id }: PeerRecord): number | undefined =>
    Object.hasOwn(versions, shortId(id)) ? versions[shortId(id)] : undefined;
  return [
    ...members.filter((record) => (before(record) ?? 0) < versionOf(record)),
    ...left.filter((record) => (before(record) ?? Number.POSITIVE_INFINITY) < versionOf(record)),
  ];
}
