import type { Logger } from '../runtime/logger.ts';
import type { PeerChange } from './ports.ts';

type Listener = (id: string, change: PeerChange) => void;

/** Tells the other features what changed about peers; one that fails is in nobody else's way. */
export class PeerChanges {
  readonly #logger: Logger;
  readonly #listeners: Listener[] = [];

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  onChange(listener: Listener): void {
    this.#listeners.push(listener);
  }

  tell(id: string, change: PeerChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(id, change);
      } catch (err) {
        this.#logger.error({ id, err }, 'listener of members failed');
      }
    }
  }
}
