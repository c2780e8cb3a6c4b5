import type { Duplex } from 'node:stream';
import { KEY_GRACE_MS } from '../../core/membership/member-keys.ts';
import type { Clock } from '../../runtime/clock.ts';

/** Streams to one peer that have connections of their own. */
export class LoneStreams {
  readonly #clock: Clock;
  readonly #open = new Set<Duplex>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(stream: Duplex): Duplex {
    this.#open.add(stream);
    stream.once('close', () => this.#open.delete(stream));
    return stream;
  }

  /** A key was replaced: what is open now was opened by it, and ends after a time of grace. */
  endSoon(): void {
    const streams = [...this.#open];
    if (streams.length === 0) return;
    void this.#clock.sleep(KEY_GRACE_MS).then(() => {
      for (const stream of streams) stream.destroy();
    });
  }
}
