import type { ToldExport } from '../../core/sharing/told-export.ts';
import type { ExportTellerDeps } from './export-teller.ts';

/** What peers are told: what is exported here, and where the kinds are not served, that it is nothing, whatever it was before. */
export class ToldExports {
  readonly #own: ExportTellerDeps['own'];
  readonly #listeners: ((key: string) => void)[] = [];
  #isNone = false;

  constructor(own: ExportTellerDeps['own']) {
    this.#own = own;
  }

  get synced(): boolean {
    return this.#isNone || this.#own.synced;
  }

  told(): ToldExport[] {
    return this.#isNone ? [] : this.#own.told();
  }

  onChange(listener: (key: string) => void): void {
    this.#own.onChange(listener);
    this.#listeners.push(listener);
  }

  /** The API server says that it does not serve the kinds. */
  becomeNone(): void {
    this.#isNone = true;
    this.#tell();
  }

  /** The kinds are served: from now on the exports themselves say whether they are known. */
  becomeOwn(): void {
    this.#isNone = false;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener('');
  }
}
