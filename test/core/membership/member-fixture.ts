import { clusterIdOf, clusterIdOfCertificate } from '../../../src/core/membership/cluster-id.ts';
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
  const id = clusterIdOfCertificate(pair.certificate);
  const certificateDer = pair.certificate.replace(/-----[^-]+-----|\s/g, '');
  const content = { id, name, endpoints: ['192.0.2.1:7443'], certificate: certificateDer, incarnation: 1, protocol: 1 };
  return { ...pair, id, certificateDer, record: signRecord({ ...content, ...change }, pair.key) };
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
