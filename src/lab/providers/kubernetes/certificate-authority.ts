import 'reflect-metadata';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** A cluster's own certificate authorities, as k0s makes them. Keys are P-256; the ServiceAccount key is RSA, as there. */

export interface KeyAndCertificate {
  /** PKCS #8 PEM. */
  key: string;
  certificate: string;
}

export interface CertificateAuthority extends KeyAndCertificate {
  issue(subject: CertificateSubject): Promise<KeyAndCertificate>;
}

export interface CertificateSubject {
  commonName: string;
  organization?: string;
  usage: 'client' | 'server';
  dnsNames?: string[];
  ipAddresses?: string[];
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const YEAR_MS = 365 * 24 * 3600 * 1000;
/** Tolerance for clocks that differ. */
const BACKDATE_MS = 3600 * 1000;

/** The library names the DOM's type, which is the same at run time. */
type LibraryKeyPair = NonNullable<Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[0]['keys']>;

/** A new authority. @param nowMs start of its validity */
export async function createCertificateAuthority(commonName: string, nowMs: number): Promise<CertificateAuthority> {
  const keys = await generateKeys();
  const validity = { notBefore: new Date(nowMs - BACKDATE_MS), notAfter: new Date(nowMs + 10 * YEAR_MS) };
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: new x509.Name([{ CN: [commonName] }]),
    ...validity,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    key: await exportKey(keys),
    certificate: root.toString('pem'),
    issue: (subject) => issue(subject, { root, keys, validity }),
  };
}

interface Issuer {
  root: x509.X509Certificate;
  keys: LibraryKeyPair;
  validity: { notBefore: Date; notAfter: Date };
}

async function issue(subject: CertificateSubject, issuer: Issuer): Promise<KeyAndCertificate> {
  const keys = await generateKeys();
  const organization = subject.organization === undefined ? [] : [{ O: [subject.organization] }];
  const usage = subject.usage === 'client' ? x509.ExtendedKeyUsage.clientAuth : x509.ExtendedKeyUsage.serverAuth;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: new x509.Name([...organization, { CN: [subject.commonName] }]),
    issuer: issuer.root.subject,
    ...issuer.validity,
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([usage]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
      ...alternativeNames(subject),
    ],
  });
  return { key: await exportKey(keys), certificate: certificate.toString('pem') };
}

function alternativeNames({ dnsNames = [], ipAddresses = [] }: CertificateSubject): x509.Extension[] {
  const names = [
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
  return names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)];
}

/** The key that signs ServiceAccount tokens, and its public half, in PEM. */
export function createServiceAccountKey(): { privateKey: string; publicKey: string } {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
}

async function generateKeys(): Promise<LibraryKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as LibraryKeyPair;
}

/** Positive, 127 bits. */
function serialNumber(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function exportKey(keys: LibraryKeyPair): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey as webcrypto.CryptoKey));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}
