import { createHash, createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';

/** Keys of WireGuard: X25519, 32 bytes in base64. */
export interface WireGuardKeys {
  privateKey: string;
  publicKey: string;
}

export function createWireGuardKeys(): WireGuardKeys {
  const { d = '', x = '' } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  return { privateKey: fromUrl(d), publicKey: fromUrl(x) };
}

export function publicKeyOf(privateKey: string): string {
  return fromUrl(createPublicKey(toPrivateKey(privateKey)).export({ format: 'jwk' }).x ?? '');
}

/** A secret that only the holders of the two private keys have. Throws when the other key is none. */
export function sharedSecret(privateKey: string, otherPublicKey: string): Buffer {
  const publicKey = createPublicKey({
    key: { kty: 'OKP', crv: 'X25519', x: toUrl(otherPublicKey) },
    format: 'jwk',
  });
  const secret = diffieHellman({ privateKey: toPrivateKey(privateKey), publicKey });
  return createHash('sha256').update('headcut-probe-v1\n').update(secret).digest();
}

/** PKCS #8 (RFC 8410) is a fixed prefix before the 32 bytes. A JWK would want the public half too. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

function toPrivateKey(privateKey: string) {
  const key = Buffer.concat([PKCS8_PREFIX, Buffer.from(privateKey, 'base64')]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

const fromUrl = (text: string): string => Buffer.from(text, 'base64url').toString('base64');
const toUrl = (text: string): string => Buffer.from(text, 'base64').toString('base64url');
