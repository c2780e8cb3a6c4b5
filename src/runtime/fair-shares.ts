/** How much of something there is at once, for owners (consumers) that have members (pods). */
export interface ShareLimits {
  total: number;
  /** What an owner, and a member, has whatever the others use: so much may be in use beyond `total`. */
  perOwner: number;
  perMember: number;
  /** What one member has at most. */
  mostPerMember: number;
}

/**
 * Shares of something that is used for a while, as questions under way. An owner gets no more than half of what the others leave
 * free, so that there is always some left for the next one; each of its members no more than half of what its fellows leave.
 */
export class FairShares {
  readonly #limits: ShareLimits;
  readonly #owners = new Map<string, { used: number; members: Map<string, number> }>();
  #used = 0;

  constructor(limits: ShareLimits) {
    this.#limits = limits;
  }

  /** How much is in use. */
  get used(): number {
    return this.#used;
  }

  /** One more for a member. @returns gives it back (once is enough); undefined when there is no more for it */
  take(owner: string, member: string): (() => void) | undefined {
    const entry = this.#owners.get(owner) ?? { used: 0, members: new Map<string, number>() };
    const own = entry.members.get(member) ?? 0;
    if (!this.#mayTake(entry.used, own)) return undefined;
    this.#owners.set(owner, entry);
    entry.members.set(member, own + 1);
    entry.used += 1;
    this.#used += 1;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#giveBack(owner, member);
    };
  }

  #mayTake(ofOwner: number, ofMember: number): boolean {
    const { total, perOwner, perMember, mostPerMember } = this.#limits;
    const forOwner = Math.max(perOwner, (total - (this.#used - ofOwner)) / 2);
    const forMember = Math.min(mostPerMember, Math.max(perMember, (forOwner - (ofOwner - ofMember)) / 2));
    // A member's own small share is beside its owner's, or fellows could use that up.
    return ofMember < perMember || (ofMember < forMember && ofOwner < forOwner);
  }

  #giveBack(owner: string, member: string): void {
    const entry = this.#owners.get(owner);
    if (entry === undefined) return;
    this.#used -= 1;
    entry.used -= 1;
    const left = (entry.members.get(member) ?? 1) - 1;
    if (left > 0) entry.members.set(member, left);
    else entry.members.delete(member);
    if (entry.used === 0) this.#owners.delete(owner);
  }
}
