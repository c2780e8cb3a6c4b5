import type { Duplex } from 'node:stream';
import type { Clock } from '../runtime/clock.ts';
import { KeyGrace } from './key-grace.ts';

/** Streams to one peer that have connections of their own: dedicated to one stream of much data. */
export class DedicatedStreams {
  readonly #grace: KeyGrace<Duplex>;
  readonly #open = new Set<Duplex>();

  constructor(clock: Clock) {
    this.#grace = KeyGrace.forStreams(clock);
  }

  add(stream: Duplex): Duplex {
    this.#open.add(stream);
    stream.once('close', () => this.#open.delete(stream));
    return stream;
  }

  /** A key was replaced: what is open now was opened by it, and ends after a time of grace. */
  endSoon(): void {
    for (const stream of this.#open) this.#grace.endLater(stream);
  }
}
