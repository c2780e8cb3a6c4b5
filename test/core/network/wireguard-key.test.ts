import { describe, expect, it } from 'vitest';
import {
  createWireGuardKeys,
  problemOfPublicKey,
  publicKeyOf,
  sharedSecret,
} from '../../../src/core/network/wireguard-key.ts';

const P = 2n ** 255n - 19n;
const LOW_ORDER = [
  0n,
  1n,
  P - 1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
];
const text = (point: bigint): string =>
  Buffer.from(point.toString(16).padStart(64, '0'), 'hex').reverse().toString('base64');

describe('a WireGuard key that somebody told', () => {
  it('is taken as its owner made it', () => {
    const { privateKey, publicKey } = createWireGuardKeys();
    expect(problemOfPublicKey(publicKey)).toBeUndefined();
    expect(publicKeyOf(privateKey)).toBe(publicKey);
  });

  it.each(LOW_ORDER)('is refused where it leads to no secret: %s', (point) => {
    expect(problemOfPublicKey(text(point))).toBeDefined();
    expect(() => sharedSecret(createWireGuardKeys().privateKey, text(point))).toThrow();
  });

  it('has one text: other texts of the same key are refused', () => {
    const { publicKey } = createWireGuardKeys();
    const bits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const last = bits.indexOf(publicKey.at(-2) ?? '');
    expect(problemOfPublicKey(`${publicKey.slice(0, -2)}${bits[last ^ 1]}=`)).toBeDefined();
    expect(problemOfPublicKey(text(9n))).toBeUndefined();
    expect(problemOfPublicKey(text(9n + P))).toBeDefined();
    expect(problemOfPublicKey(text(9n + 2n ** 255n))).toBeDefined();
  });

  it.each(['', 'x', 'A'.repeat(44), undefined, 7])('is refused where it is none: %j', (told) => {
    expect(problemOfPublicKey(told)).toBeDefined();
  });
});
