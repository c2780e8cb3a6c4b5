import { X509Certificate } from 'node:crypto';
import { clusterIdOf } from '../../../src/core/membership/cluster-id.ts';
import { clusterIdOfCertificate, successionUri } from '../../../src/core/membership/member-keys.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import { signRecord, signVouch } from '../../../src/core/membership/signed-record.ts';
import { createSelfSigned } from '../../../src/runtime/x509.ts';

/** A member with a real key, as tests need it. */
export interface TestMember {
  id: string;
  key: string;
  certificate: string;
  certificateDer: string;
  record: PeerRecord;
}

const DAY_MS = 86_400_000;

export async function createMember(name: string, change: Partial<PeerRecord> = {}): Promise<TestMember> {
  const now = Date.now();
  const pair = await createSelfSigned(clusterIdOf, { from: new Date(now - DAY_MS), to: new Date(now + DAY_MS) });
  return memberOf(name, pair, change);
}

/** A member by this key and certificate. */
export function memberOf(
  name: string,
  pair: { key: string; certificate: string },
  change: Partial<PeerRecord> = {},
): TestMember {
  const id = clusterIdOfCertificate(pair.certificate);
  const certificateDer = pair.certificate.replace(/-----[^-]+-----|\s/g, '');
  const content = { id, name, endpoints: ['192.0.2.1:7443'], certificate: certificateDer, incarnation: 1, protocol: 1 };
  return { ...pair, id, certificateDer, record: signRecord({ ...content, ...change }, pair.key) };
}

/** The same member with its next key, and its record of before as that one signs it. */
export function withNextKey(member: TestMember, change: Partial<PeerRecord> = {}): Promise<TestMember> {
  return withChain(member, (publicKey) => successionUri(member.certificate, member.key, publicKey), change);
}

/** The same member by a new key whose certificate carries whatever `uri` says. */
export async function withChain(
  member: TestMember,
  uri: (publicKey: Buffer) => string,
  change: Partial<PeerRecord> = {},
): Promise<TestMember> {
  const now = Date.now();
  const validity = { from: new Date(now - DAY_MS), to: new Date(now + DAY_MS) };
  const pair = await createSelfSigned(clusterIdOf, validity, uri);
  const certificateDer = pair.certificate.replace(/-----[^-]+-----|\s/g, '');
  const { signature: _signature, vouch: _vouch, ...content } = member.record;
  const next = { ...content, incarnation: content.incarnation + 1, ...change, certificate: certificateDer };
  return { ...pair, id: member.id, certificateDer, record: signRecord(next, pair.key) };
}

/** Certificates of keys that are no successors of `member`'s, each with a flaw that has a name. */
export async function flawedSuccessors(member: TestMember, thief: TestMember): Promise<Record<string, TestMember>> {
  const second = await withNextKey(member);
  const third = await withNextKey(second);
  const uriOf = ({ certificate }: TestMember): string =>
    (new X509Certificate(certificate).subjectAltName ?? '').replace('URI:', '');
  const bytesOf = (one: TestMember): Buffer => Buffer.from(uriOf(one).split(':')[2] ?? '', 'base64url');
  const packed = (bytes: Buffer) => (): string => `headcut:keys:${bytes.toString('base64url')}`;
  const link = 97;
  return {
    'signed by another key': await withChain(member, (next) => successionUri(member.certificate, thief.key, next)),
    'with a hole': await withChain(
      member,
      packed(Buffer.concat([bytesOf(third).subarray(0, link), Buffer.alloc(link)])),
    ),
    'without its first key': await withChain(member, packed(bytesOf(third).subarray(link))),
    "with somebody else's key at its end": await withChain(member, () => uriOf(second)),
    'that is cut off': await withChain(member, packed(bytesOf(third).subarray(0, link + 50))),
    'of more keys than there may be': await withChain(member, packed(Buffer.alloc(65 * link, bytesOf(second)))),
    'of bytes that are no keys': await withChain(member, packed(Buffer.alloc(2 * link))),
    'that goes in a circle': await withChain(member, packed(Buffer.concat([bytesOf(second), bytesOf(second)]))),
  };
}

/** The record of `member` as `voucher` admitted it. */
export function vouchedBy(member: TestMember, voucher: TestMember): PeerRecord {
  return { ...member.record, vouch: signVouch(member.id, voucher.id, voucher.key) };
}

/** A later record of the same member. */
export function resigned(member: TestMember, change: Partial<PeerRecord>): PeerRecord {
  const { signature: _signature, vouch: _vouch, ...content } = member.record;
  return signRecord({ ...content, ...change }, member.key);
}
