import type { Writable } from 'node:stream';
import { type SessionChange, type SessionQuery, SessionSender, type SessionSenderDeps } from './session-sender.ts';

/** The sessions in which this member tells its peers what concerns them. */
export class SessionSenders {
  readonly #deps: Omit<SessionSenderDeps, 'asked'>;
  readonly #sessions = new Set<SessionSender>();

  constructor(deps: Omit<SessionSenderDeps, 'asked'>) {
    this.#deps = deps;
  }

  open(peerId: string, out: Writable, asked: SessionQuery): void {
    // A peer has one session: a newer one replaces the older, which may be half-open.
    for (const session of this.#sessions) if (session.peerId === peerId) session.close();
    const session = new SessionSender(peerId, out, { ...this.#deps, asked });
    this.#sessions.add(session);
    out.on('close', () => this.#sessions.delete(session));
  }

  /** @param peerId whom it concerns */
  note(peerId: string | 'all', change: SessionChange): void {
    for (const session of this.#sessions) if (peerId === 'all' || session.peerId === peerId) session.note(change);
  }

  /** Tells all that this agent means to be back. */
  bye(): void {
    for (const session of this.#sessions) session.bye();
  }
}
