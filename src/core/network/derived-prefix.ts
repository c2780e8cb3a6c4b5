import { createHash } from 'node:crypto';
import { contains, type Prefix, sizeOf } from './prefix.ts';

/** Tries derived from the ID before the free networks are counted off from the start of the range. */
export const DERIVED_TRIES = 64;

/** The network of this size that an ID leads to at its n-th attempt. */
export function derivedPrefix(
  id: string,
  attempt: number,
  { range, length }: { range: Prefix; length: number },
): Prefix {
  const size = 2 ** (32 - length);
  const digest = createHash('sha256').update(`headcut-network-v1\n${id}\n${attempt}`).digest();
  return { base: range.base + (digest.readUIntBE(0, 6) % (sizeOf(range) / size)) * size, length };
}

/** At which attempt an ID leads to this network; undefined when it is none of the first few. */
export function derivedAttempt(id: string, prefix: Prefix, range: Prefix): number | undefined {
  if (!contains(range, prefix)) return undefined;
  for (let attempt = 0; attempt < DERIVED_LOOK; attempt += 1)
    if (derivedPrefix(id, attempt, { range, length: prefix.length }).base === prefix.base) return attempt;
  return undefined;
}

/** Nobody honest gets further, and each is a hash. */
const DERIVED_LOOK = 8;
