import { derivedAttempt } from './derived-prefix.ts';
import type { ClaimOfMember } from './network-claim.ts';
import { formatPrefix, overlaps, type Prefix, parsePrefix } from './prefix.ts';
import type { Refusal } from './refusal.ts';

/** What a member holds, as this member saw it: the prefix and the WireGuard key that nobody else had then. */
export interface Holding {
  id: string;
  publicKey: string;
  prefix: string;
}

/** A prefix that was let go: for a while nobody else gets it, as somebody may still send to its former pods. */
export interface Released {
  id: string;
  prefix: string;
  /** Until then it is kept for its former holder; milliseconds since 1970. */
  until: number;
}

/** A claim that was refused when it came. */
export interface RefusedClaim {
  id: string;
  publicKey: string;
  prefix: string;
  /** Since when, in milliseconds since 1970. */
  at: number;
  /** It was the first one of that member. */
  first: boolean;
}

/** Who holds what, kept over restarts: who came later does not get what somebody has, whatever it says about its age. */
export interface Holders {
  held: readonly Holding[];
  released: readonly Released[];
  refused: readonly RefusedClaim[];
  /** When this member gave its own prefix up for another member's sake; milliseconds since 1970. */
  movedAt?: number;
  /** Claims of other members were seen while this one had its present prefix. */
  met: boolean;
}

export const NO_HOLDERS: Holders = { held: [], released: [], refused: [], met: false };

/** Services are told anew within seconds; what was sent to the former pods is over after that. */
export const QUARANTINE_MS = 2 * 60_000;
/** Members that are forgotten or banned may come back. */
const GONE_QUARANTINE_MS = 60 * 60_000;
/** Twice what a federation has; beyond that the oldest are let go. */
const MAX_RELEASED = 1_000;

export interface HolderContext {
  /** This member's own claim, which no other one's touches. */
  own: ClaimOfMember;
  range: string;
  /** All members, with a claim or without. */
  members: ReadonlySet<string>;
  /** A name for people. */
  nameOf(id: string): string;
  /** Milliseconds since 1970. */
  now: number;
}

/**
 * Who holds what after these claims were seen, and which are refused for what others hold. Of claims that are seen at once, as a
 * newcomer sees all of them, that one counts first whose prefix its member's ID leads to sooner, then that of the smaller ID.
 * @param claims well-formed ones, one a member
 */
export function planHolders(
  before: Holders,
  claims: readonly ClaimOfMember[],
  context: HolderContext,
): { holders: Holders; refusals: Map<string, Refusal> } {
  const present = new Map(claims.map((one) => [one.id, one.claim]));
  const kept = before.held.filter(({ id, prefix, publicKey }) => {
    const claim = present.get(id);
    return claim?.prefix === prefix && claim.publicKey === publicKey && problemWithOwn(claim, context) === undefined;
  });
  const standing = new Standing(kept, [...stillReleased(before, context), ...newlyReleased(before, present, context)]);
  const refusals = new Map<string, Refusal>();
  const refused: RefusedClaim[] = [];
  const open = claims.filter(({ id }) => !standing.has(id));
  for (const { id, claim } of inOrder(open, context.range)) {
    const problem = problemWithOwn(claim, context) ?? standing.problemOf({ id, claim }, context);
    if (problem === undefined) standing.add({ id, publicKey: claim.publicKey, prefix: claim.prefix });
    else {
      refusals.set(id, problem);
      refused.push(refusedClaim({ id, claim }, before, context.now));
    }
  }
  const { movedAt, met } = before;
  return {
    holders: {
      held: standing.held(),
      released: standing.released.slice(-MAX_RELEASED),
      refused,
      ...(movedAt === undefined ? {} : { movedAt }),
      met: met || claims.length > 0,
    },
    refusals,
  };
}

class Standing {
  readonly released: Released[];
  readonly #byId = new Map<string, Holding & { network: Prefix }>();
  readonly #byKey = new Map<string, string>();

  constructor(held: readonly Holding[], released: Released[]) {
    this.released = released;
    for (const one of held) this.add(one);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  held(): Holding[] {
    return [...this.#byId.values()].map(({ network: _, ...holding }) => holding);
  }

  add(holding: Holding): void {
    this.#byId.set(holding.id, { ...holding, network: parsePrefix(holding.prefix) });
    this.#byKey.set(holding.publicKey, holding.id);
    const at = this.released.findIndex((one) => one.id === holding.id && one.prefix === holding.prefix);
    if (at >= 0) this.released.splice(at, 1);
  }

  problemOf({ id, claim }: ClaimOfMember, { nameOf }: HolderContext): Refusal | undefined {
    const keyHolder = this.#byKey.get(claim.publicKey);
    if (keyHolder !== undefined) return keyTaken(nameOf(keyHolder));
    const network = parsePrefix(claim.prefix);
    for (const other of this.#byId.values())
      if (overlaps(network, other.network)) return clash(other, nameOf(other.id));
    const former = this.released.find((one) => one.id !== id && overlaps(network, parsePrefix(one.prefix)));
    return former === undefined ? undefined : recentlyLeft(former, nameOf(former.id));
  }
}

function problemWithOwn(
  claim: { publicKey: string; prefix: string },
  { own }: Pick<HolderContext, 'own'>,
): Refusal | undefined {
  if (claim.publicKey === own.claim.publicKey) return keyTaken('this member');
  if (!overlaps(parsePrefix(claim.prefix), parsePrefix(own.claim.prefix))) return undefined;
  return clash({ prefix: own.claim.prefix }, 'this member');
}

function keyTaken(holder: string): Refusal {
  const message = `its WireGuard key is that of ${holder}, which had it first; if one of the two is a copy of the other's machine, delete the Secrets headcut-identity and headcut-network and the agent's pod on the copy, and join it anew`;
  return { reason: 'KeyTaken', message };
}

function clash({ prefix }: { prefix: string }, holder: string): Refusal {
  const message = `its prefix lies in ${prefix}, or covers it, and ${holder} had that first; it has to choose another one`;
  return { reason: 'Clash', message };
}

function recentlyLeft({ prefix }: Released, holder: string): Refusal {
  const message = `its prefix was that of ${holder} (${prefix}) until lately; it can be used when nobody sends to the former pods any more`;
  return { reason: 'Clash', message };
}

function stillReleased({ released }: Holders, { now }: HolderContext): Released[] {
  // A clock that was set back does not keep a prefix away for longer.
  return released.filter(({ until }) => until > now && until <= now + GONE_QUARANTINE_MS);
}

function newlyReleased(
  { held }: Holders,
  present: ReadonlyMap<string, { prefix: string }>,
  { members, now }: HolderContext,
): Released[] {
  return held
    .filter(({ id, prefix }) => present.get(id)?.prefix !== prefix)
    .map(({ id, prefix }) => ({ id, prefix, until: now + (members.has(id) ? QUARANTINE_MS : GONE_QUARANTINE_MS) }));
}

function refusedClaim({ id, claim }: ClaimOfMember, before: Holders, now: number): RefusedClaim {
  const { publicKey, prefix } = claim;
  const known = before.refused.find((one) => one.id === id);
  if (known?.publicKey === publicKey && known.prefix === prefix) return known;
  const first = known === undefined && !before.held.some((one) => one.id === id);
  return { id, publicKey, prefix, at: now, first };
}

function inOrder(claims: readonly ClaimOfMember[], range: string): ClaimOfMember[] {
  const outer = parsePrefix(range);
  const keyed = claims.map((one) => ({ one, attempt: derivedAttempt(one.id, parsePrefix(one.claim.prefix), outer) }));
  return keyed
    .sort((a, b) => (a.attempt ?? DERIVED_LAST) - (b.attempt ?? DERIVED_LAST) || (a.one.id < b.one.id ? -1 : 1))
    .map(({ one }) => one);
}

const DERIVED_LAST = Number.MAX_SAFE_INTEGER;

/** An honest claim is the first or second that its ID leads to: with 500 members in 16 384 networks, four are taken once in a million. */
const HONEST_ATTEMPTS = 4;
/** Who was alone moves at once; only where that did not help the larger ID moves, then the younger one. */
const SMALLER_ID_AFTER_MS = 20_000;
const OLDER_AFTER_MS = 60_000;
/** Whoever comes with new identities makes this member move once in this time at most. */
const MOVE_EVERY_MS = 24 * 60 * 60_000;

export interface MoveInput {
  before: Holders;
  /** As this look left it. */
  after: Holders;
  claims: readonly ClaimOfMember[];
  context: HolderContext;
}

/**
 * Whether this member has to give its prefix up for another one's. Only where two federations meet, which each have a holder of
 * it, and that is decided by ID, once: for the first claim of a member that its ID leads to. Members of the former build decide
 * by the date of claims; so where one of these does not move, as it is older, this one does.
 */
export function mustMove({ before, after, claims, context }: MoveInput): boolean {
  const { refused, movedAt } = after;
  const { own, range, now } = context;
  if (movedAt !== undefined && now - movedAt < MOVE_EVERY_MS && now >= movedAt) return false;
  const present = new Map(claims.map((one) => [one.id, one.claim]));
  return refused.some((one) => {
    const claim = present.get(one.id);
    if (claim === undefined || claim.prefix !== one.prefix || !one.first) return false;
    if (claim.publicKey === own.claim.publicKey) return false;
    const network = parsePrefix(one.prefix);
    if (!overlaps(network, parsePrefix(own.claim.prefix))) return false;
    if ((derivedAttempt(one.id, network, parsePrefix(range)) ?? HONEST_ATTEMPTS) >= HONEST_ATTEMPTS) return false;
    if (!before.met) return true;
    const waitedMs = now - one.at;
    return (
      (one.id < own.id && waitedMs >= SMALLER_ID_AFTER_MS) ||
      (claim.since < own.claim.since && waitedMs >= OLDER_AFTER_MS)
    );
  });
}

/** What is stored; anything that is none of it is forgotten. */
export function parseHolders(text: string | undefined): Holders | undefined {
  if (text === undefined) return undefined;
  try {
    const { held, released, refused, movedAt, met } = JSON.parse(text) as Holders;
    const isSound = (one: { id: string; prefix: string }): boolean =>
      typeof one.id === 'string' && formatPrefix(parsePrefix(one.prefix)) === one.prefix;
    return {
      held: held.filter(isSound),
      released: released.filter(isSound),
      refused: refused.filter(isSound),
      ...(typeof movedAt === 'number' ? { movedAt } : {}),
      met: met === true,
    };
  } catch {
    return undefined;
  }
}
