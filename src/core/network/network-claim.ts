import { DERIVED_TRIES, derivedPrefix } from './derived-prefix.ts';
import { contains, formatPrefix, overlaps, type Prefix, parsePrefix, readPrefix, sizeOf } from './prefix.ts';
import { problemOfPublicKey } from './wireguard-key.ts';

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
  /**
   * Since when the member claims this prefix, in milliseconds since 1970, as it says. Members of the former build let the older
   * of two claims stand; here that one does which was known first (core/network/claim-holders).
   */
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
  /** The present prefix has to be given up for another member's. */
  mustMove?: boolean;
  publicKey: string;
  port: number;
  podCidr: string;
  range: string;
  /** What other members hold, and what they claim. */
  held: readonly Prefix[];
  claimed: readonly Prefix[];
  /** What this node uses for other things. */
  used: readonly Prefix[];
  /** Milliseconds since 1970. */
  now: number;
}

export type ClaimPlan = { claim: NetworkClaim } | { refused: { reason: string; message: string } };

/**
 * The claim that this member should make: the present one while it stands, else the next one that its ID leads to and nobody
 * has. Needs no coordinator.
 */
export function planClaim(input: ClaimInput): ClaimPlan {
  const { present, publicKey, port, podCidr, used, held, claimed } = input;
  const range = parsePrefix(input.range);
  const { length } = parsePrefix(podCidr);
  if (length < range.length) {
    const message = `the pod network ${podCidr} is larger than spec.network.range ${input.range}; choose a larger range on all members`;
    return { refused: { reason: 'RangeTooSmall', message } };
  }
  if (present !== undefined && isTenable({ ...input, present }, range, length)) {
    return { claim: { publicKey, port, podCidr, prefix: present.prefix, since: present.since } };
  }
  const former = present === undefined || input.mustMove !== true ? [] : [parsePrefix(present.prefix)];
  const search = { id: input.id, range, length };
  // What is claimed beside what is held may get its owner later; only a range that is full makes it one of ours.
  const prefix =
    findFree(search, [...held, ...used, ...former, ...claimed]) ?? findFree(search, [...held, ...used, ...former]);
  if (prefix === undefined) {
    const message = `no free network of size /${length} is left in spec.network.range ${input.range}; choose a larger range on all members`;
    return { refused: { reason: 'RangeFull', message } };
  }
  return { claim: { publicKey, port, podCidr, prefix: formatPrefix(prefix), since: input.now } };
}

function isTenable(input: ClaimInput & { present: NetworkClaim }, range: Prefix, length: number): boolean {
  const prefix = readPrefix(input.present.prefix);
  if (prefix === undefined || input.mustMove === true) return false;
  return prefix.length === length && contains(range, prefix) && !input.used.some((one) => overlaps(prefix, one));
}

function findFree(
  { id, range, length }: { id: string; range: Prefix; length: number },
  taken: readonly Prefix[],
): Prefix | undefined {
  const size = 2 ** (32 - length);
  const isFree = (prefix: Prefix): boolean => !taken.some((other) => overlaps(prefix, other));
  for (let attempt = 0; attempt < DERIVED_TRIES; attempt += 1) {
    const prefix = derivedPrefix(id, attempt, { range, length });
    if (isFree(prefix)) return prefix;
  }
  // What is taken is stepped over as a whole, so this ends after as many steps as there are claims.
  const end = range.base + sizeOf(range);
  for (let base = range.base; base < end; ) {
    const prefix = { base, length };
    const other = taken.find((one) => overlaps(prefix, one));
    if (other === undefined) return prefix;
    base = Math.max(base + size, other.base + sizeOf(other));
  }
  return undefined;
}

/**
 * The largest pod network that another member may have here unless the Federation says otherwise: what controller managers give
 * a node by default, and k0s and k3s with them (`--node-cidr-mask-size` 24).
 */
export const DEFAULT_LARGEST_CLAIM = 24;
/** Anything smaller is a mistake. */
const SMALLEST_CLAIM = 30;

export interface ClaimLimits {
  range: string;
  /** Length of the prefix of the largest pod network that is taken. */
  largest: number;
}

type Problem = { reason: string; message: string };

/**
 * Why what a member claims could be nobody's claim here, or undefined. A claim is bounded in size, one a member: so many members
 * as there can be do not use up the range.
 */
export function problemOfForm(claim: NetworkClaim, { largest }: ClaimLimits): Problem | undefined {
  const invalid = (message: string): Problem => ({ reason: 'InvalidClaim', message });
  const prefix = readPrefix(claim.prefix);
  const podCidr = readPrefix(claim.podCidr);
  if (prefix === undefined || podCidr === undefined) return invalid('its record names no valid networks');
  const keyProblem = problemOfPublicKey(claim.publicKey);
  if (keyProblem !== undefined) return invalid(`its WireGuard key cannot be used: ${keyProblem}`);
  if (prefix.length !== podCidr.length)
    return invalid(`its pod network ${claim.podCidr} and image ${claim.prefix} differ in size`);
  if (prefix.length > SMALLEST_CLAIM)
    return invalid(`its pod network has the size /${prefix.length}; /${SMALLEST_CLAIM} is the smallest`);
  if (prefix.length < largest) {
    const message = `its pod network has the size /${prefix.length}; this member takes /${largest} at most, and more with spec.network.largestClaim of its Federation`;
    return { reason: 'TooLarge', message };
  }
  return undefined;
}

/** Why a well-formed claim cannot be used here, or undefined. Its prefix becomes a route of ours: it must lie in our own range. */
export function problemOfPlace(claim: NetworkClaim, range: string, used: readonly Prefix[]): Problem | undefined {
  const prefix = parsePrefix(claim.prefix);
  if (!contains(parsePrefix(range), prefix)) {
    const message = `its pods are known as ${claim.prefix}, which is outside of spec.network.range ${range} of this member; use one range on all members`;
    return { reason: 'OtherRange', message };
  }
  const use = used.find((one) => overlaps(prefix, one));
  if (use === undefined) return undefined;
  const message = `its prefix ${claim.prefix} meets ${formatPrefix(use)}, which this member's node uses for something else; another spec.network.range on all members avoids that`;
  return { reason: 'InUse', message };
}
