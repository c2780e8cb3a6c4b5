import type { KubeObject, ResourceList } from '../kube-objects.ts';
import type { FederationObject, PeerObject } from '../membership/peer-object.ts';
import { readableQuantity } from '../quantities/quantity.ts';
import { type Amounts, amountOf, amountsFrom, clampedTo, larger, subtract } from '../quantities/resources.ts';

/** What one peer may use of this cluster (an entry of `spec.terms` of the Federation). */
export interface PeerTerms {
  /** `AfterApproval`: members that came in by the word of others may use nothing until headcut approve names them. */
  use: 'Allowed' | 'AfterApproval' | 'None';
  /** Percent of what this cluster has and does not reserve. */
  sharePercent: number;
  /** What its pods may ask for in all; what is not named has no other bound than the room there is. */
  limits: ResourceList;
  /** The pod security standard that its pods have to meet, where that is stricter than the Federation's. */
  podSecurityLevel?: string;
}

/** An entry: for these peers, for those with these labels, or for all. */
export interface TermsRule extends Partial<Omit<PeerTerms, 'limits'>> {
  /** IDs: a name is what a member calls itself. */
  peers?: string[];
  /** Labels of Peer objects, which nobody but this cluster's administrator gives. */
  selector?: { matchLabels?: Record<string, string> };
  limits?: Record<string, string | number>;
}

/** The terms of one peer, and what follows from them now. */
export interface PeerUse extends PeerTerms {
  /** Why it may use nothing; undefined when it may. */
  closed?: string;
}

type Subject = Pick<PeerObject, 'spec'> & { metadata: Pick<KubeObject['metadata'], 'name' | 'labels'> };

const EVERYTHING: PeerTerms = { use: 'Allowed', sharePercent: 100, limits: {} };

/** The first entry that is for the peer counts, as a whole. @param peer by its object; a member that has none yet by its ID */
export function useOf(peer: Subject | { id: string }, federation: FederationObject | undefined): PeerUse {
  const rules = (federation?.spec?.terms as TermsRule[] | undefined) ?? [];
  const rule = rules.find((one) => isFor(one, peer)) ?? {};
  const limits = Object.entries(rule.limits ?? {}).map(([name, amount]) => [name, String(amount)]);
  const terms = { ...EVERYTHING, ...rule, limits: Object.fromEntries(limits) as ResourceList };
  const closed = whyUseless(terms, peer, federation);
  const { use, sharePercent, podSecurityLevel } = terms;
  return {
    ...{ use, sharePercent, limits: terms.limits },
    ...(podSecurityLevel === undefined ? {} : { podSecurityLevel }),
    ...(closed === undefined ? {} : { closed }),
  };
}

/** True when its administrator let it in, or joined through it; else it came in by the word of others. */
export function isApproved(peer: Pick<PeerObject, 'spec'>, federation: FederationObject | undefined): boolean {
  const { id, vouch } = peer.spec;
  const own = federation?.status?.id;
  return federation?.spec?.approved?.includes(id) === true || (own !== undefined && vouch?.by === own);
}

/** What pods of the peer may ask for in all, by resource; what is not in it has no bound by the terms. */
export function capOf({ sharePercent, limits }: PeerTerms, allocatable: Amounts, reserve: Amounts): Amounts {
  const caps: Record<string, bigint> = { ...amountsFrom(limits) };
  if (sharePercent >= 100) return caps;
  const whole = clampedTo(allocatable, subtract(allocatable, reserve));
  for (const [name, milli] of Object.entries(whole)) {
    // Pods are counted whole.
    const unit = name === 'cpu' ? 1n : 1_000n;
    const share = (larger(milli, 0n) * BigInt(Math.round(sharePercent))) / 100n / unit;
    const limit = caps[name];
    caps[name] = limit === undefined || share * unit < limit ? share * unit : limit;
  }
  return caps;
}

/** The part of `amounts` that a cap allows. */
export function within(amounts: Amounts, caps: Amounts): Amounts {
  const bounded = Object.entries(amounts).map(([name, milli]): [string, bigint] => {
    const cap = caps[name];
    return [name, cap !== undefined && cap < milli ? cap : milli];
  });
  return Object.fromEntries(bounded);
}

/** What is left to the peer of each resource that its terms bound, besides what its pods have. */
export function leftOf(caps: Amounts, used: Amounts): Amounts {
  return Object.fromEntries(Object.keys(caps).map((name) => [name, amountOf(caps, name) - amountOf(used, name)]));
}

const LEVELS = ['privileged', 'baseline', 'restricted'];

/** The stricter of two pod security standards. */
export function stricterLevel(one: string, other: string | undefined): string {
  return other !== undefined && LEVELS.indexOf(other) > LEVELS.indexOf(one) ? other : one;
}

/** For a peer of which the terms say nothing. */
export const EVERYTHING_TEXT = 'all that is free';

/** For people: `all that is free`, `nothing: …`, `at most 4 cpu, 8Gi memory; half …`. */
export function useText({ closed, sharePercent, limits, podSecurityLevel }: PeerUse): string {
  if (closed !== undefined) return `nothing: ${closed}`;
  const bounds = [
    ...Object.entries(limits).map(([name, amount]) => `${readableQuantity(name, amount)} ${name}`),
    ...(sharePercent < 100 ? [`${sharePercent} % of what is not reserved`] : []),
  ];
  const what = bounds.length === 0 ? EVERYTHING_TEXT : `at most ${bounds.join(', ')}`;
  return podSecurityLevel === undefined
    ? what
    : `${what}, at pod security level ${podSecurityLevel} or the stricter one of all`;
}

function isFor({ peers, selector }: TermsRule, peer: Subject | { id: string }): boolean {
  if (peers === undefined && selector === undefined) return true;
  const id = 'spec' in peer ? peer.spec.id : peer.id;
  if (peers?.includes(id) === true) return true;
  if (selector === undefined || !('spec' in peer)) return false;
  const { labels = {} } = peer.metadata;
  return Object.entries(selector.matchLabels ?? {}).every(([name, value]) => labels[name] === value);
}

function whyUseless(
  { use }: PeerTerms,
  peer: Subject | { id: string },
  federation: FederationObject | undefined,
): string | undefined {
  if (use === 'None') return 'the terms of the provider let this member use nothing there';
  if (use !== 'AfterApproval' || ('spec' in peer && isApproved(peer, federation))) return undefined;
  const name = 'spec' in peer ? peer.metadata.name : peer.id.slice(0, 12);
  return `this member came in by the word of others, and waits for headcut approve ${name} at the provider`;
}
