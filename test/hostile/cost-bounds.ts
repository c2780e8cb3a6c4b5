import { expect } from 'vitest';
import type { Host } from './host.ts';

/**
 * The promise is 50 ms for the loop on a machine of its own; CPU time is what is measured here, which caches and clocks of a shared machine
 * make several times as much. Attacks that are not bounded take seconds.
 */
const BLOCKED_MS = 150;
/** Over what the agent had at first. */
const GROWTH_MB = 120;

/** What an attack may cost at most. */
export class CostBounds {
  readonly #host: Host;
  readonly #firstRssMb: number;

  constructor(host: Host, firstRssMb: number) {
    this.#host = host;
    this.#firstRssMb = firstRssMb;
  }

  /** Runs an attack, and holds what it cost the agent against the bounds. @param lines of one message in the log */
  async within(what: () => Promise<unknown>, { writes = 20, lines = 3 } = {}): Promise<void> {
    const written = await this.#host.writes();
    await this.#host.cost();
    await what();
    const { blockedMs, rssMb, logged, loggedBytes } = await this.#host.cost();
    expect(blockedMs, 'the loop stood still for').toBeLessThan(BLOCKED_MS);
    expect(rssMb - this.#firstRssMb, 'memory grew by').toBeLessThan(GROWTH_MB);
    expect((await this.#host.writes()) - written, 'writes to the API server').toBeLessThanOrEqual(writes);
    for (const [message, count] of Object.entries(logged)) expect(count, message).toBeLessThanOrEqual(lines);
    expect(loggedBytes, 'bytes of the log').toBeLessThan(200_000);
  }
}
