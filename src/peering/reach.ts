import type { Hearsay } from '../core/membership/peer-object.ts';
import type { Peer } from './peer.ts';

/** A way that is up but was not measured yet. */
const UNMEASURED_MS = 100;

/** Who reaches whom: what we tell others about our ways, and what they say about theirs. */
export class Reach {
  readonly #links: () => Peer[];
  readonly #listeners: (() => void)[] = [];
  #reached = '';

  constructor(links: () => Peer[]) {
    this.#links = links;
  }

  /** The members that we reach directly, by ID, with round-trip times in ms. */
  own(): Record<string, number> {
    const direct = this.#links().filter((link) => link.state === 'Connected' && link.status.via === undefined);
    return Object.fromEntries(direct.map((link) => [link.id, Math.ceil(link.status.roundTripMs ?? UNMEASURED_MS)]));
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Only who is reached counts as a change: round-trip times of known ways drift all the time. */
  refresh(): void {
    const reached = Object.keys(this.own()).sort().join();
    if (reached === this.#reached) return;
    this.#reached = reached;
    for (const listener of this.#listeners) listener();
  }

  /** What others say about a peer that we do not reach: for people, never acted upon. */
  hearsay(id: string): Hearsay {
    const others = this.#links().filter((link) => link.id !== id && link.state === 'Connected');
    const witness = others.find((link) => link.reach.has(id));
    if (witness !== undefined) return { view: 'LinkDown', witness: witness.name };
    return others.length === 0 ? { view: 'Unknown' } : { view: 'PeerDown' };
  }
}
