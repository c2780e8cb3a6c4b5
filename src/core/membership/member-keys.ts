import {
  createHash,
  createPrivateKey,
  createPublicKey,
  ECDH,
  type KeyObject,
  sign,
  verify,
  X509Certificate,
} from 'node:crypto';
import { CodedError, messageOf } from '../coded-error.ts';
import { base32 } from './cluster-id.ts';

/**
 * The keys of a member. Its ID is the fingerprint of the first one and stays; each key that was replaced signed the next. A
 * certificate carries all that came before its own key, so that whoever sees it, in a record or in a TLS handshake, can tell
 * whose it is, also who was away when the key was replaced.
 */
export interface MemberKeys {
  id: string;
  /** Of all its keys, the present one last. */
  fingerprints: string[];
}

/** A key that was replaced: its point (SEC 1, compressed) and its signature (IEEE P1363) that the next one follows. */
interface Link {
  point: Buffer;
  signature: Buffer;
}

/** One a month for five years. As many make a certificate of 9 kB, which fits into the record (wire/endpoints). */
export const MAX_REPLACED_KEYS = 64;

/** What is under way on connections by a key that was replaced may take this long to end; new ones take over at once. */
export const KEY_GRACE_MS = 30_000;

/** Certificates have it as a name that Node shows; TLS takes no notice, since keys are pinned and names are not. */
const URI_PREFIX = 'headcut:keys:';
const SHOWN_URI = /^URI:headcut:keys:([A-Za-z0-9_-]+)$/;
const CURVE = 'prime256v1';
const POINT_BYTES = 33;
const SIGNATURE_BYTES = 64;
const LINK_BYTES = POINT_BYTES + SIGNATURE_BYTES;
/** Everything of a P-256 public key (SPKI, DER; RFC 5480 §2) before its uncompressed point. */
const SPKI_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');
const SPKI_BYTES = SPKI_PREFIX.length + 65;

/** How many keys came before the present one. */
export function generationOf(keys: MemberKeys): number {
  return keys.fingerprints.length - 1;
}

/** The member behind a certificate (PEM or DER), and its keys. Throws when it is no certificate, or its chain of keys has a flaw. */
export function memberKeysOf(certificate: string | Uint8Array | X509Certificate): MemberKeys {
  const claimed = claimedKeysOf(toCertificate(certificate));
  mustFollowEachOther(claimed, 0);
  return claimed.keys;
}

/** As memberKeysOf, where the chain up to the last of the `known` keys was verified before: that part of it costs nothing. */
export function laterKeysOf(certificate: string | Uint8Array | X509Certificate, known: MemberKeys): MemberKeys {
  const claimed = claimedKeysOf(toCertificate(certificate));
  const isKnown = known.fingerprints.every((fingerprint, at) => claimed.keys.fingerprints[at] === fingerprint);
  mustFollowEachOther(claimed, isKnown ? generationOf(known) : 0);
  return claimed.keys;
}

/** The keys of a certificate that was verified before; nothing is verified again. Throws when it is no certificate. */
export function claimedKeysIn(certificate: string | Uint8Array | X509Certificate): MemberKeys {
  return claimedKeysOf(toCertificate(certificate)).keys;
}

/** What a certificate says of its member's keys, none of whose signatures is verified. */
interface ClaimedKeys {
  keys: MemberKeys;
  /** SPKI, DER; as many as there are fingerprints. */
  publicKeys: Buffer[];
  /** Of each key but the last. */
  signatures: Buffer[];
}

function claimedKeysOf(certificate: X509Certificate): ClaimedKeys {
  const links = linksOf(certificate);
  const publicKeys = [...links.map(({ point }) => toSpki(point)), spkiOf(certificate.publicKey)];
  const fingerprints = publicKeys.map(fingerprintOf);
  if (new Set(fingerprints).size < fingerprints.length) throw flaw('one of them is in it twice');
  const signatures = links.map(({ signature }) => signature);
  return { keys: { id: fingerprints[0] ?? '', fingerprints }, publicKeys, signatures };
}

/** @param from the number of the first key whose signature is looked at: those before it are known. */
function mustFollowEachOther({ keys, publicKeys, signatures }: ClaimedKeys, from: number): void {
  for (const [at, signature] of signatures.entries()) {
    if (at < from) continue;
    const by = createPublicKey({ key: publicKeys[at] as Buffer, format: 'der', type: 'spki' });
    const bytes = linkBytes(keys.id, at + 1, publicKeys[at + 1] as Buffer);
    if (!verify('sha256', bytes, { key: by, dsaEncoding: 'ieee-p1363' }, signature))
      throw flaw(`number ${at + 1} did not sign the next one`);
  }
}

/** The ID that a certificate claims; nothing is verified but its form. Throws when it is no certificate. */
export function claimedIdOf(certificate: X509Certificate): string {
  const [first] = linksOf(certificate);
  return fingerprintOf(first === undefined ? spkiOf(certificate.publicKey) : toSpki(first.point));
}

/** The cluster ID behind a certificate, PEM or DER. Throws as memberKeysOf does. */
export function clusterIdOfCertificate(certificate: string | Uint8Array | X509Certificate): string {
  return memberKeysOf(certificate).id;
}

/** The fingerprint of a certificate's own key, which is its name (CN). */
export function keyFingerprintOf(certificate: X509Certificate): string {
  return fingerprintOf(spkiOf(certificate.publicKey));
}

/** How many replaced keys a certificate names; nothing is verified. 0 also where it cannot be read. */
export function claimedGenerationOf(certificate: Uint8Array): number {
  try {
    return linksOf(new X509Certificate(certificate)).length;
  } catch {
    return 0;
  }
}

/**
 * What the certificate of the next key carries. Throws FailedPrecondition when the present one is the last that can be.
 * @param key PKCS #8 PEM of the present certificate's key
 * @param next the next public key (SPKI, DER)
 */
export function successionUri(certificate: string, key: string, next: Uint8Array): string {
  const present = new X509Certificate(certificate);
  const links = linksOf(present);
  mustHaveRoomForKey(links.length);
  const spki = spkiOf(present.publicKey);
  if (spki.length !== SPKI_BYTES) throw flaw('the present one is not on P-256');
  const id = claimedIdOf(present);
  const bytes = linkBytes(id, links.length + 1, Buffer.from(next));
  const signature = sign('sha256', bytes, { key: createPrivateKey(key), dsaEncoding: 'ieee-p1363' });
  const all = [...links, { point: toPoint(spki), signature }];
  const packed = Buffer.concat(all.flatMap((link) => [link.point, link.signature]));
  return `${URI_PREFIX}${packed.toString('base64url')}`;
}

/** Throws FailedPrecondition when a cluster that replaced its key so often cannot do so any more. */
export function mustHaveRoomForKey(replaced: number): void {
  if (replaced < MAX_REPLACED_KEYS) return;
  throw new CodedError(
    'FailedPrecondition',
    `this cluster replaced its key ${replaced} times, which is as often as one can; only a new identity gets another one: headcut leave, kubectl -n headcut-system delete secret headcut-identity, restart the agent, and headcut join`,
  );
}

/** What the keys that somebody shows are to those that are known of the member. */
export type KeyVerdict =
  /** The present key. */
  | 'Present'
  /** A key that came after the present one, by its signature. */
  | 'Later'
  /** A key that the present one replaced: whoever holds it has no right to it any more. */
  | 'Replaced'
  /** Another member's, or of a chain that parts from the known one. */
  | 'Foreign';

export function judgeKeys(known: MemberKeys, shown: MemberKeys): KeyVerdict {
  const [knownLast, shownLast] = [generationOf(known), generationOf(shown)];
  const common = Math.min(knownLast, shownLast);
  // Each key signed the next, so that chains which agree in one place agree in all before it.
  if (known.id !== shown.id || known.fingerprints[common] !== shown.fingerprints[common]) return 'Foreign';
  if (knownLast === shownLast) return 'Present';
  return shownLast > knownLast ? 'Later' : 'Replaced';
}

/**
 * What somebody who wants to be a member shows in the TLS handshake, which proves that he holds the key.
 * @param known the member's certificate as its record has it, DER in base64
 * @returns how many keys came before the one that he holds, or why he is not believed
 */
export function proveMember(
  shown: X509Certificate | undefined,
  known: { id: string; certificate: string },
): { keyGeneration: number } | { problem: string } {
  const other = { problem: 'it showed another key than the pinned one' };
  try {
    if (shown === undefined || claimedIdOf(shown) !== known.id) return other;
    // A record's own chain was verified when the record was taken over.
    const before = claimedKeysOf(toCertificate(Buffer.from(known.certificate, 'base64'))).keys;
    const claimed = claimedKeysOf(shown);
    const verdict = judgeKeys(before, claimed.keys);
    if (verdict === 'Foreign') return other;
    if (verdict === 'Replaced') return { problem: 'it showed a key that this member has replaced' };
    // Who makes up what comes after the known keys costs us one signature, however many those are.
    mustFollowEachOther(claimed, generationOf(before));
    return { keyGeneration: generationOf(claimed.keys) };
  } catch (error) {
    return { problem: `it showed a key that cannot be judged: ${messageOf(error)}` };
  }
}

function toCertificate(certificate: string | Uint8Array | X509Certificate): X509Certificate {
  return certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate);
}

function linksOf(certificate: X509Certificate): Link[] {
  const encoded = SHOWN_URI.exec(certificate.subjectAltName ?? '')?.[1];
  if (encoded === undefined) return [];
  const bytes = Buffer.from(encoded, 'base64url');
  const count = bytes.length / LINK_BYTES;
  if (!Number.isInteger(count)) throw flaw('it is cut off');
  if (count > MAX_REPLACED_KEYS) throw flaw(`it has ${count} keys, and ${MAX_REPLACED_KEYS} is the most`);
  return Array.from({ length: count }, (_, at) => {
    const start = at * LINK_BYTES;
    return {
      point: bytes.subarray(start, start + POINT_BYTES),
      signature: bytes.subarray(start + POINT_BYTES, start + LINK_BYTES),
    };
  });
}

/** With the ID and the place in the chain: what was signed for one place serves in no other. */
function linkBytes(id: string, place: number, next: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`headcut-key-v1\n${id}\n${place}\n`), next]);
}

const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

const fingerprintOf = (spki: Buffer): string => base32(createHash('sha256').update(spki).digest());

function toPoint(spki: Buffer): Buffer {
  return ECDH.convertKey(spki.subarray(SPKI_PREFIX.length), CURVE, undefined, undefined, 'compressed') as Buffer;
}

function toSpki(point: Buffer): Buffer {
  const whole = ECDH.convertKey(point, CURVE, undefined, undefined, 'uncompressed') as Buffer;
  return Buffer.concat([SPKI_PREFIX, whole]);
}

const flaw = (what: string): CodedError => new CodedError('InvalidArgument', `its chain of keys is not valid: ${what}`);
