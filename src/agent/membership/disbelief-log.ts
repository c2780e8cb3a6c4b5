import type { Logger } from '../../runtime/logger.ts';

/** Lines a teller gets; one that invents members could fill the log. */
const MAX_LINES_PER_TELLER = 20;

/** Says once about each record why it was not believed, and to a teller of many that the rest is not said. */
export class DisbeliefLog {
  readonly #logger: Logger;
  /** By teller: what was said. */
  readonly #said = new Map<string, Set<string>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  say({ id, reason }: { id: string; reason: string }, from: string): void {
    const said = this.#said.get(from) ?? new Set();
    this.#said.set(from, said);
    const line = `${id} ${reason}`;
    if (said.has(line) || said.size > MAX_LINES_PER_TELLER) return;
    said.add(line);
    if (said.size <= MAX_LINES_PER_TELLER) this.#logger.warn({ id, from, reason }, 'record of a member not believed');
    else
      this.#logger.warn({ from }, 'many records that this member tells are not believed; further ones are not logged');
  }

  /** The teller is no member any more. */
  forget(from: string): void {
    this.#said.delete(from);
  }
}
