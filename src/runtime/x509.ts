import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

/** Certificates and signing requests on P-256, which Go's TLS and the cluster's signers take. PEM in and out. */

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** The library names the DOM's type, which is the same at run time. */
type KeyPair = Parameters<typeof x509.Pkcs10CertificateRequestGenerator.create>[0]['keys'];

export interface KeyAndCertificate {
  /** PKCS #8 PEM. */
  key: string;
  certificate: string;
}

/**
 * A self-signed certificate; the identity of a member. Its names are made from the public key (SPKI, DER).
 * @param uri a second name, where there is to be one
 */
export async function createSelfSigned(
  commonName: (publicKey: Buffer) => string,
  validity: { from: Date; to: Date },
  uri?: (publicKey: Buffer) => string,
): Promise<KeyAndCertificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const publicKey = Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${commonName(publicKey)}`,
    notBefore: validity.from,
    notAfter: validity.to,
    signingAlgorithm: ALGORITHM,
    keys: keys as KeyPair,
    extensions:
      uri === undefined ? [] : [new x509.SubjectAlternativeNameExtension([{ type: 'url', value: uri(publicKey) }])],
  });
  return { key: await exportKey(keys.privateKey), certificate: certificate.toString('pem') };
}

/** A self-signed certificate for a server at an IP address, which is its own CA. */
export async function createServingCertificate(
  ip: string,
  validity: { from: Date; to: Date },
): Promise<KeyAndCertificate> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=headcut',
    notBefore: validity.from,
    notAfter: validity.to,
    signingAlgorithm: ALGORITHM,
    keys: keys as KeyPair,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: ip }]),
    ],
  });
  return { key: await exportKey(keys.privateKey), certificate: certificate.toString('pem') };
}

export interface SigningRequest {
  key: string;
  /** PKCS #10 PEM. */
  request: string;
}

/** A new key with a signing request for it. @param ip IP addresses for the subject alternative name */
export async function createSigningRequest(
  subject: { commonName: string; organization: string },
  ip: string[],
): Promise<SigningRequest> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: new x509.Name([{ O: [subject.organization] }, { CN: [subject.commonName] }]),
    keys: keys as KeyPair,
    signingAlgorithm: ALGORITHM,
    extensions:
      ip.length === 0
        ? []
        : [new x509.SubjectAlternativeNameExtension(ip.map((value) => ({ type: 'ip' as const, value })))],
  });
  return { key: await exportKey(keys.privateKey), request: request.toString('pem') };
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}
