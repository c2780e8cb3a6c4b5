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

/** The prime of Curve25519. */
const FIELD = 2n ** 255n - 19n;
/** The points that every secret leads to zero with (their order divides eight), as the numbers of RFC 7748. */
const LOW_ORDER = new Set([
  0n,
  1n,
  FIELD - 1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
]);

/**
 * Why a public key that somebody told cannot be used, or undefined. Only the one text of each key is taken, as keys are compared
 * by their texts: base64 has spare bits at its end, and numbers from the prime on are the same key as smaller ones.
 */
export function problemOfPublicKey(publicKey: unknown): string | undefined {
  if (typeof publicKey !== 'string') return 'it is no text';
  const bytes = Buffer.from(publicKey, 'base64');
  if (bytes.length !== 32 || bytes.toString('base64') !== publicKey) return 'it is not 32 bytes in base64';
  const point = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  if (point >= FIELD) return 'it is not in its canonical form';
  return LOW_ORDER.has(point) ? 'nobody has a private key for it' : undefined;
}

/** PKCS #8 (RFC 8410) is a fixed prefix before the 32 bytes. A JWK would want the public half too. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

function toPrivateKey(privateKey: string) {
  const key = Buffer.concat([PKCS8_PREFIX, Buffer.from(privateKey, 'base64')]);
  return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
}

const fromUrl = (text: string): string => Buffer.from(text, 'base64url').toString('base64');
const toUrl = (text: string): string => Buffer.from(text, 'base64').toString('base64url');
