import { describe, expect, it } from 'vitest';
import { PROBE_MAGIC } from '../../../src/core/network/plan-nft.ts';
import {
  decodeProbe,
  encodeProbe,
  PROBE_BYTES,
  probeTag,
  readProbeSender,
} from '../../../src/core/network/probe-message.ts';
import { createWireGuardKeys, publicKeyOf, sharedSecret } from '../../../src/core/network/wireguard-key.ts';

/** Made by `wg genkey` and `wg pubkey`. */
const PAIR = {
  privateKey: 'sPGDriiGz+2vYHvMCY6CK5ZQgD90eTauhrSCRh4id1c=',
  publicKey: '6Xai+S6cqjrfKtnC+cUofNnenBhz8Uxm/5Z6IkPYqSw=',
};

describe('WireGuard keys', () => {
  it('are 32 bytes in base64, and the public half follows from the private one', () => {
    const keys = createWireGuardKeys();
    expect(Buffer.from(keys.privateKey, 'base64')).toHaveLength(32);
    expect(publicKeyOf(keys.privateKey)).toBe(keys.publicKey);
    expect(publicKeyOf(PAIR.privateKey)).toBe(PAIR.publicKey);
  });

  it('give both members the same secret, and nobody else', () => {
    const [a, b, c] = [createWireGuardKeys(), createWireGuardKeys(), createWireGuardKeys()];
    expect(sharedSecret(a.privateKey, b.publicKey)).toEqual(sharedSecret(b.privateKey, a.publicKey));
    expect(sharedSecret(a.privateKey, b.publicKey)).not.toEqual(sharedSecret(c.privateKey, b.publicKey));
  });
});

describe('probes', () => {
  const secret = Buffer.alloc(32, 7);
  const sender = probeTag('key of the sender');

  it('say who sent them and what, to those who know the secret', () => {
    const bytes = encodeProbe({ kind: 'answer', nonce: 42n }, secret, sender);
    expect(bytes).toHaveLength(PROBE_BYTES);
    expect(readProbeSender(bytes)).toBe(sender);
    expect(decodeProbe(bytes, secret)).toEqual({ kind: 'answer', nonce: 42n });
    expect(decodeProbe(bytes, Buffer.alloc(32, 8))).toBeUndefined();
  });

  it('are void when a bit was changed', () => {
    const bytes = encodeProbe({ kind: 'question', nonce: 42n }, secret, sender);
    for (let at = 8; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(decodeProbe(changed, secret)).toBeUndefined();
    }
  });

  it('are none without the first bytes or the size', () => {
    expect(readProbeSender(Buffer.alloc(PROBE_BYTES))).toBeUndefined();
    expect(readProbeSender(Buffer.from(PROBE_MAGIC, 'latin1'))).toBeUndefined();
  });

  it('are taken for no packet of WireGuard, whose first byte is 1 to 4', () => {
    expect(PROBE_MAGIC.charCodeAt(0)).toBeGreaterThan(4);
    expect(PROBE_MAGIC).toHaveLength(8);
  });
});
