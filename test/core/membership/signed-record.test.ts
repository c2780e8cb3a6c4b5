import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { base32, clusterIdOf } from '../../../src/core/membership/cluster-id.ts';
import {
  isJoinSignedBy,
  isVouchedBy,
  problemOfRecord,
  signJoin,
  signRecord,
} from '../../../src/core/membership/signed-record.ts';
import { createSelfSigned } from '../../../src/runtime/x509.ts';
import { createMember, type TestMember, vouchedBy } from './member-fixture.ts';

let alice: TestMember;
let bob: TestMember;

beforeAll(async () => {
  [alice, bob] = await Promise.all([createMember('alice'), createMember('bob')]);
});

describe('cluster IDs', () => {
  it('encodes as RFC 4648 does, in lower case and without padding', () => {
    const vectors = { f: 'my', fo: 'mzxq', foo: 'mzxw6', foob: 'mzxw6yq', fooba: 'mzxw6ytb', foobar: 'mzxw6ytboi' };
    for (const [text, encoded] of Object.entries(vectors)) expect(base32(Buffer.from(text))).toBe(encoded);
  });

  it('is 52 characters that fit into a label value', () => {
    expect(alice.id).toMatch(/^[a-z2-7]{52}$/);
  });

  it('is the fingerprint of the public key', () => {
    expect(clusterIdOf(Buffer.from('key'))).toBe(base32(createHash('sha256').update('key').digest()));
  });
});

describe('records', () => {
  it('finds no problem with what the owner signed', () => {
    expect(problemOfRecord(alice.record)).toBeUndefined();
  });

  it.each([
    ['name', { name: 'mallory' }],
    ['endpoints', { endpoints: ['203.0.113.1:7443'] }],
    ['incarnation', { incarnation: 2 }],
    ['protocol', { protocol: 2 }],
  ])('notices a changed %s', (_field, change) => {
    expect(problemOfRecord({ ...alice.record, ...change })).toMatch(/signature/);
  });

  it('notices the certificate of another, and one that is none', () => {
    expect(problemOfRecord({ ...alice.record, certificate: bob.certificateDer })).toMatch(/fingerprint/);
    expect(problemOfRecord({ ...alice.record, certificate: 'AAAA' })).toMatch(/cannot be read/);
  });

  it('refuses a certificate with the name of another, which would shut that one out of TLS', async () => {
    const pair = await createSelfSigned(() => bob.id, { from: new Date(0), to: new Date(Date.now() + 1e9) });
    const certificate = pair.certificate.replace(/-----[^-]+-----|\s/g, '');
    const { X509Certificate } = await import('node:crypto');
    const { publicKey } = new X509Certificate(pair.certificate);
    const id = clusterIdOf(publicKey.export({ type: 'spki', format: 'der' }));
    const { signature: _signature, ...content } = alice.record;
    expect(problemOfRecord(signRecord({ ...content, id, certificate }, pair.key))).toMatch(
      /carry the fingerprint of its key/,
    );
  });
});

describe('vouchers and joins', () => {
  it("knows a member's voucher from another's", () => {
    expect(isVouchedBy(vouchedBy(alice, bob), bob.record)).toBe(true);
    expect(isVouchedBy(vouchedBy(alice, bob), alice.record)).toBe(false);
    expect(isVouchedBy(alice.record, bob.record)).toBe(false);
  });

  it('proves a key for one invitation of one member only', () => {
    const proof = signJoin(bob.id, 'first', alice.key);
    expect(isJoinSignedBy(alice.record, bob.id, 'first', proof)).toBe(true);
    expect(isJoinSignedBy(alice.record, bob.id, 'second', proof)).toBe(false);
    expect(isJoinSignedBy(alice.record, alice.id, 'first', proof)).toBe(false);
    expect(isJoinSignedBy(bob.record, bob.id, 'first', proof)).toBe(false);
  });
});
