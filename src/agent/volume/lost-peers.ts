import type { Clock } from '../../runtime/clock.ts';
import type { PeerLinks } from '../ports.ts';

/** Since when peers have been out of contact. An agent that starts anew counts anew. */
export class LostPeers {
  readonly #links: PeerLinks;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** Monotonic ms, by ID. */
  readonly #lostAt = new Map<string, number>();

  constructor(links: PeerLinks, clock: Pick<Clock, 'monotonic'>) {
    this.#links = links;
    this.#clock = clock;
    for (const { id } of links.list()) this.#look(id);
    links.onChange((id) => this.#look(id));
  }

  /** How many ms it takes until a peer has been out of contact for so long, 0 when it has; undefined while it is in contact. */
  lostInMs(id: string, afterMs: number): number | undefined {
    this.#look(id);
    const at = this.#lostAt.get(id);
    return at === undefined ? undefined : Math.max(0, at + afterMs - this.#clock.monotonic());
  }

  #look(id: string): void {
    if (this.#links.get(id)?.state !== 'Unreachable') this.#lostAt.delete(id);
    else if (!this.#lostAt.has(id)) this.#lostAt.set(id, this.#clock.monotonic());
  }
}
