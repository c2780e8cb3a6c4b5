import type { Writable } from 'node:stream';
import type { SectionName } from './live-sections.ts';

/**
 * The server-sent events of one page, named after the sections. What its socket has no room for waits, of each section the newest state
 * alone: a page that does not read costs one text a section, and one that reads again misses nothing that still holds.
 */
export class LiveStream {
  readonly #raw: Writable;
  readonly #waiting = new Map<SectionName, string>();

  constructor(raw: Writable) {
    this.#raw = raw;
    raw.on('drain', () => this.#write());
  }

  /** @param json one line */
  send(section: SectionName, json: string): void {
    this.#waiting.set(section, json);
    this.#write();
  }

  /** A long text fills the socket for now, of a page that reads as well: the others go when there is room. */
  #write(): void {
    if (this.#raw.writableEnded || this.#raw.destroyed) this.#waiting.clear();
    for (const [section, json] of this.#waiting) {
      if (this.#raw.writableNeedDrain) return;
      this.#waiting.delete(section);
      this.#raw.write(`event: ${section}\ndata: ${json}\n\n`);
    }
  }
}
