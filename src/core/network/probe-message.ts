import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { PROBE_MAGIC } from './plan-nft.ts';

/**
 * The probe: a datagram that only the two members can make. The answer is as long as the question, and only
 * members get one, so that nobody can use us to amplify.
 *
 *     0 magic (8) | 8 kind (1), zero (7) | 16 nonce (8) | 24 sender (8) | 32 proof (16) | 48 zeros, in one that shows how large a datagram may be
 */
export interface ProbeMessage {
  kind: 'question' | 'answer';
  nonce: bigint;
}

export const PROBE_BYTES = 48;
const KINDS = ['question', 'answer'] as const;
const PROVED_BYTES = 32;

/** Stands for the sender in a probe: the start of its WireGuard key's hash. */
export function probeTag(publicKey: string): bigint {
  return createHash('sha256').update(publicKey).digest().readBigUInt64BE(0);
}

/**
 * @param secret shared by the two members
 * @param sender the sender's tag
 * @param size of the whole datagram
 */
export function encodeProbe(message: ProbeMessage, secret: Buffer, sender: bigint, size = PROBE_BYTES): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.write(PROBE_MAGIC, 0, 'latin1');
  bytes.writeUInt8(KINDS.indexOf(message.kind), 8);
  bytes.writeBigUInt64BE(message.nonce, 16);
  bytes.writeBigUInt64BE(sender, 24);
  proofOf(bytes, secret).copy(bytes, PROVED_BYTES);
  return bytes;
}

/** The sender's tag of what may be a probe, or undefined when it is none. */
export function readProbeSender(bytes: Buffer): bigint | undefined {
  if (bytes.length < PROBE_BYTES || bytes.toString('latin1', 0, 8) !== PROBE_MAGIC) return undefined;
  return bytes.readBigUInt64BE(24);
}

/** Undefined when it was not made with `secret`. */
export function decodeProbe(bytes: Buffer, secret: Buffer): ProbeMessage | undefined {
  const kind = KINDS[bytes.readUInt8(8)];
  if (kind === undefined || !timingSafeEqual(bytes.subarray(PROVED_BYTES, PROBE_BYTES), proofOf(bytes, secret)))
    return undefined;
  return { kind, nonce: bytes.readBigUInt64BE(16) };
}

function proofOf(bytes: Buffer, secret: Buffer): Buffer {
  return createHmac('sha256', secret)
    .update(bytes.subarray(0, PROVED_BYTES))
    .digest()
    .subarray(0, PROBE_BYTES - PROVED_BYTES);
}
