import type { Logger } from '../runtime/logger.ts';

/** Lines that one member gets; one that invents mistakes could fill the log. */
const MAX_LINES_PER_MEMBER = 20;

/** Says once of each thing that a member does wrong what it is, and of one that does many that the rest is not said. */
export class Complaints {
  readonly #logger: Logger;
  readonly #said = new Map<string, Set<string>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** @param what the call, stream or message that was wrong: the same one is said once */
  say(member: { id: string; name?: string | undefined }, what: string, problem: string): void {
    const said = this.#said.get(member.id) ?? new Set();
    this.#said.set(member.id, said);
    if (said.has(what) || said.size > MAX_LINES_PER_MEMBER) return;
    said.add(what);
    const fields = { peer: member.name ?? member.id, id: member.id };
    if (said.size <= MAX_LINES_PER_MEMBER)
      this.#logger.warn({ ...fields, what, problem }, 'a member says what it should not');
    else this.#logger.warn(fields, 'a member says much that it should not; the rest is not logged');
  }

  /** It is no member any more. */
  forget(id: string): void {
    this.#said.delete(id);
  }
}
