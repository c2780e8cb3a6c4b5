import type { Clock } from '../runtime/clock.ts';
import type { ActionRequest } from './actions.ts';

/** Whoever read what would be done has this long to say yes. */
const VALID_MS = 10 * 60_000;
const MAX_TICKETS = 100;
const TICKET_BYTES = 16;

/**
 * One for each dry run that was shown: without it nothing is done, so no action is carried out whose outcome nobody saw before. Used once, and
 * for that very action.
 */
export class ActionTickets {
  readonly #tickets = new Map<string, { what: string; until: number }>();
  readonly #clock: Clock;
  readonly #randomBytes: (count: number) => Uint8Array;

  constructor({ clock, randomBytes }: { clock: Clock; randomBytes(count: number): Uint8Array }) {
    this.#clock = clock;
    this.#randomBytes = randomBytes;
  }

  issue(request: ActionRequest): string {
    const now = this.#clock.monotonic();
    for (const [ticket, { until }] of this.#tickets) if (until <= now) this.#tickets.delete(ticket);
    const [oldest] = this.#tickets.keys();
    if (this.#tickets.size >= MAX_TICKETS && oldest !== undefined) this.#tickets.delete(oldest);
    const ticket = Buffer.from(this.#randomBytes(TICKET_BYTES)).toString('base64url');
    this.#tickets.set(ticket, { what: nameOf(request), until: now + VALID_MS });
    return ticket;
  }

  /** True once for a ticket of this action. */
  take(ticket: string, request: ActionRequest): boolean {
    const found = this.#tickets.get(ticket);
    if (found === undefined || found.what !== nameOf(request)) return false;
    this.#tickets.delete(ticket);
    return found.until > this.#clock.monotonic();
  }
}

function nameOf({ action, subject }: ActionRequest): string {
  return `${action} ${subject}`;
}
