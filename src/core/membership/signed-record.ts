import { createPrivateKey, sign, verify, X509Certificate } from 'node:crypto';
import { messageOf } from '../coded-error.ts';
import { claimedKeysIn, keyFingerprintOf, laterKeysOf, memberKeysOf } from './member-keys.ts';
import type { PeerRecord } from './peer-record.ts';

/** The bytes that an owner signs: the fields in a fixed order, with a prefix that no other signature of ours has. */
function canonicalBytes(record: Omit<PeerRecord, 'signature' | 'vouch'>): Buffer {
  const { id, name, endpoints, certificate, incarnation, protocol, network, left } = record;
  const fields: unknown[] = [id, name, endpoints, certificate, incarnation, protocol];
  // Only where there is one: records from before there was a pod network keep their signatures.
  if (network !== undefined) {
    const { publicKey, port, podCidr, prefix, since } = network;
    fields.push({ network: [publicKey, port, podCidr, prefix, since] });
  }
  if (left !== undefined) fields.push({ left });
  return Buffer.from(`headcut-record-v1\n${JSON.stringify(fields)}`);
}

const vouchBytes = (id: string): Buffer => Buffer.from(`headcut-vouch-v1\n${id}`);

/** The proof that a newcomer holds its key: bound to the invitation and the member that it joins. */
const joinBytes = (inviterId: string, invitation: string): Buffer =>
  Buffer.from(`headcut-join-v1\n${inviterId}\n${invitation}`);

function signBytes(bytes: Buffer, key: string): string {
  return sign('sha256', bytes, createPrivateKey(key)).toString('base64');
}

function verifyBytes(bytes: Buffer, certificate: string, signature: string): boolean {
  const { publicKey } = new X509Certificate(Buffer.from(certificate, 'base64'));
  return verify('sha256', bytes, publicKey, Buffer.from(signature, 'base64'));
}

/** @param key PKCS #8 PEM of the owner */
export function signRecord(record: Omit<PeerRecord, 'signature' | 'vouch'>, key: string): PeerRecord {
  return { ...record, signature: signBytes(canonicalBytes(record), key) };
}

/** A member's signature that it admitted the newcomer. @param origin whose word it passes on, if it did not admit it itself */
export function signVouch(
  newcomerId: string,
  by: string,
  key: string,
  origin?: string,
): NonNullable<PeerRecord['vouch']> {
  return { by, signature: signBytes(vouchBytes(newcomerId), key), ...(origin === undefined ? {} : { origin }) };
}

export function signJoin(inviterId: string, invitation: string, key: string): string {
  return signBytes(joinBytes(inviterId, invitation), key);
}

export function isJoinSignedBy(record: PeerRecord, inviterId: string, invitation: string, signature: string): boolean {
  return verifyBytes(joinBytes(inviterId, invitation), record.certificate, signature);
}

/**
 * Why a record is not its owner's own word, or undefined when it is.
 * @param before a verified record of the same ID: what both have of the chain of keys is not verified again
 */
export function problemOfRecord(record: PeerRecord, before?: PeerRecord): string | undefined {
  try {
    const certificate = new X509Certificate(Buffer.from(record.certificate, 'base64'));
    if (keysOf(certificate, record, before).id !== record.id) return 'its ID is not the fingerprint of its first key';
    // TLS libraries find pinned certificates by subject: two alike would shut each other out.
    if (certificate.subject !== `CN=${keyFingerprintOf(certificate)}`)
      return 'its certificate does not carry the fingerprint of its key as its name';
    if (!verifyBytes(canonicalBytes(record), record.certificate, record.signature))
      return 'its signature is not that of its key';
    return undefined;
  } catch (error) {
    return `its certificate cannot be read: ${messageOf(error)}`;
  }
}

function keysOf(certificate: X509Certificate, record: PeerRecord, before: PeerRecord | undefined): { id: string } {
  if (before === undefined) return memberKeysOf(certificate);
  if (record.certificate === before.certificate) return before;
  return laterKeysOf(certificate, claimedKeysIn(Buffer.from(before.certificate, 'base64')));
}

/** True when `voucher` signed that it admitted `newcomer`. */
export function isVouchedBy(newcomer: PeerRecord, voucher: PeerRecord): boolean {
  const { vouch } = newcomer;
  return vouch?.by === voucher.id && verifyBytes(vouchBytes(newcomer.id), voucher.certificate, vouch.signature);
}
