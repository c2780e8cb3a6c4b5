import type { Duplex } from 'node:stream';
import { KEY_GRACE_MS } from '../core/membership/member-keys.ts';
import type { Clock } from '../runtime/clock.ts';

/** How things of a kind end. */
export interface Ending<T> {
  /** Ends one. */
  end(thing: T): void;
  /** Tells when one has ended, by whomever. */
  onEnd(thing: T, listener: () => void): void;
}

const OF_STREAMS: Ending<Duplex> = {
  end: (stream) => void stream.destroy(),
  onEnd: (stream, listener) => void stream.once('close', listener),
};

/** Ends what a replaced key opened: each of them once, after the time of grace, unless it has ended by then. */
export class KeyGrace<T extends object> {
  readonly #clock: Clock;
  readonly #ending: Ending<T>;
  readonly #due = new WeakSet<T>();

  constructor(clock: Clock, ending: Ending<T>) {
    this.#clock = clock;
    this.#ending = ending;
  }

  static forStreams(clock: Clock): KeyGrace<Duplex> {
    return new KeyGrace(clock, OF_STREAMS);
  }

  endLater(thing: T): void {
    if (this.#due.has(thing)) return;
    this.#due.add(thing);
    const ended = new AbortController();
    this.#ending.onEnd(thing, () => ended.abort());
    this.#clock.sleep(KEY_GRACE_MS, ended.signal).then(
      () => this.#ending.end(thing),
      () => {},
    );
  }
}
