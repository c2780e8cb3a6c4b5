import { createHash, X509Certificate } from 'node:crypto';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Lower-case base32 (RFC 4648) without padding: 52 characters for SHA-256, short enough for a label value. */
export function base32(bytes: Uint8Array): string {
  let bits = 0;
  let value = 0;
  let text = '';
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >>> bits) & 31];
      value &= (1 << bits) - 1;
    }
  }
  return bits === 0 ? text : text + ALPHABET[(value << (5 - bits)) & 31];
}

/** The cluster ID: the fingerprint (SHA-256) of the public key (SPKI, DER). */
export function clusterIdOf(publicKey: Buffer): string {
  return base32(createHash('sha256').update(publicKey).digest());
}

/** The cluster ID behind a certificate, PEM or DER. Throws when it is no certificate. */
export function clusterIdOfCertificate(certificate: string | Uint8Array | X509Certificate): string {
  const parsed = certificate instanceof X509Certificate ? certificate : new X509Certificate(certificate);
  return clusterIdOf(parsed.publicKey.export({ type: 'spki', format: 'der' }));
}
