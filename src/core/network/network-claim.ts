import { createHash } from 'node:crypto';
import { contains, formatPrefix, type Prefix, parsePrefix, sizeOf } from './prefix.ts';

/** What a member says in its record about its part of the pod network. */
export interface NetworkClaim {
  /** WireGuard public key, base64. */
  publicKey: string;
  /** UDP port of WireGuard on the member's node. */
  port: number;
  /** The pods' own network there, such as 10.244.0.0/24. */
  podCidr: string;
  /** Its image: the addresses under which the other members know these pods; as large as `podCidr`. */
  prefix: string;
  /** Since when the member claims this prefix, in milliseconds since 1970; of two that overlap the older one stands. */
  since: number;
}

export interface ClaimOfMember {
  id: string;
  claim: NetworkClaim;
}

/** Where images are taken from unless the Federation says otherwise: shared address space (RFC 6598), which no pod network uses. */
export const DEFAULT_NETWORK_RANGE = '100.64.0.0/10';
/** WireGuard's customary port. */
export const DEFAULT_NETWORK_PORT = 51820;

export interface ClaimInput {
  id: string;
  /** What this member claims now, if anything. */
  present: NetworkClaim | undefined;
  publicKey: string;
  port: number;
  podCidr: string;
  range: string;
  others: readonly ClaimOfMember[];
  /** Milliseconds since 1970. */
  now: number;
}

export type ClaimPlan = { claim: NetworkClaim } | { refused: { reason: string; message: string } };

/**
 * The claim that this member should make: the present one while it stands, else the next one that its ID leads to and nobody
 * has. Needs no coordinator: everybody settles a clash the same way, and the loser derives another prefix.
 */
export function planClaim(input: ClaimInput): ClaimPlan {
  const { present, publicKey, port, podCidr } = input;
  const range = parsePrefix(input.range);
  const { length } = parsePrefix(podCidr);
  if (length < range.length) {
    const message = `the pod network ${podCidr} is larger than spec.network.range ${input.range}; choose a larger range on all members`;
    return { refused: { reason: 'RangeTooSmall', message } };
  }
  if (present !== undefined && isTenable({ ...input, present }, range, length)) {
    return { claim: { publicKey, port, podCidr, prefix: present.prefix, since: present.since } };
  }
  const prefix = findFree(input, range, length);
  if (prefix === undefined) {
    const message = `no free network of size /${length} is left in spec.network.range ${input.range}; choose a larger range on all members`;
    return { refused: { reason: 'RangeFull', message } };
  }
  return { claim: { publicKey, port, podCidr, prefix: formatPrefix(prefix), since: input.now } };
}

function isTenable(input: ClaimInput & { present: NetworkClaim }, range: Prefix, length: number): boolean {
  const prefix = parsePrefix(input.present.prefix);
  return prefix.length === length && contains(range, prefix) && !losesTo(input, input.present, input.others);
}

/** Tries derived from the ID before the free networks are counted off from the start of the range. */
const DERIVED_TRIES = 64;

function findFree(input: ClaimInput, range: Prefix, length: number): Prefix | undefined {
  const size = 2 ** (32 - length);
  const slots = sizeOf(range) / size;
  const taken = input.others.map(({ claim }) => parsePrefix(claim.prefix));
  const at = (slot: number): Prefix => ({ base: range.base + slot * size, length });
  const isFree = (prefix: Prefix): boolean => !taken.some((other) => overlaps(prefix, other));
  for (let attempt = 0; attempt < DERIVED_TRIES; attempt += 1) {
    const prefix = at(slotOf(input.id, attempt, slots));
    if (isFree(prefix)) return prefix;
  }
  // Each other claim covers few slots, so this ends after as many steps as there are claims, unless the range is full.
  for (let slot = 0; slot < slots; slot += 1) if (isFree(at(slot))) return at(slot);
  return undefined;
}

function slotOf(id: string, attempt: number, slots: number): number {
  const digest = createHash('sha256').update(`headcut-network-v1\n${id}\n${attempt}`).digest();
  return digest.readUIntBE(0, 6) % slots;
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return contains(a, b) || contains(b, a);
}

/** The older claim stands; of two made in the same millisecond that of the smaller ID. */
function losesTo(own: { id: string }, claim: NetworkClaim, others: readonly ClaimOfMember[]): boolean {
  const prefix = parsePrefix(claim.prefix);
  return others.some(
    (other) =>
      other.id !== own.id &&
      overlaps(prefix, parsePrefix(other.claim.prefix)) &&
      (other.claim.since < claim.since || (other.claim.since === claim.since && other.id < own.id)),
  );
}

/** The claims that stand against all others, by member. */
export function standingClaims(claims: readonly ClaimOfMember[]): Map<string, NetworkClaim> {
  return new Map(claims.filter((one) => !losesTo(one, one.claim, claims)).map(({ id, claim }) => [id, claim] as const));
}

/** Pod networks of one node: anything larger or smaller is a mistake, or a grab for addresses. */
const LARGEST_CLAIM = 16;
const SMALLEST_CLAIM = 30;

/** Why what a member claims cannot be used here, or undefined. Its prefix becomes a route of ours: it must lie in our own range. */
export function problemOfClaim(claim: NetworkClaim, range: string): { reason: string; message: string } | undefined {
  const prefix = parsePrefix(claim.prefix);
  if (prefix.length !== parsePrefix(claim.podCidr).length)
    return {
      reason: 'InvalidClaim',
      message: `its pod network ${claim.podCidr} and image ${claim.prefix} differ in size`,
    };
  if (prefix.length < LARGEST_CLAIM || prefix.length > SMALLEST_CLAIM)
    return {
      reason: 'InvalidClaim',
      message: `its pod network has the size /${prefix.length}; /16 to /30 are supported`,
    };
  if (!contains(parsePrefix(range), prefix)) {
    const message = `its pods are known as ${claim.prefix}, which is outside of spec.network.range ${range} of this member; use one range on all members`;
    return { reason: 'OtherRange', message };
  }
  return undefined;
}
