import { claimedGenerationOf } from './member-keys.ts';
import type { PeerRecord } from './peer-record.ts';

/** More incarnations than a record that changes every millisecond has in two thousand years. */
const INCARNATIONS = 2 ** 46;

/** Certificates are read once a record. */
const generations = new WeakMap<PeerRecord, number>();

/** How many keys of the member came before the one of the record, as it claims. */
export function keyGenerationOf(record: PeerRecord): number {
  const known = generations.get(record);
  if (known !== undefined) return known;
  const generation = claimedGenerationOf(Buffer.from(record.certificate, 'base64'));
  generations.set(record, generation);
  return generation;
}

/**
 * Which of two records of a member is the newer one: that of the later key, whatever incarnation somebody who has an earlier
 * one gives his; of the same key that of the larger incarnation. Safe as a number: 64 keys take 6 bits beside 46.
 */
export function versionOf(record: PeerRecord): number {
  return keyGenerationOf(record) * INCARNATIONS + Math.min(record.incarnation, INCARNATIONS - 1);
}

/** The key generation that is part of a version. */
export function generationIn(version: number): number {
  return Math.floor(version / INCARNATIONS);
}
