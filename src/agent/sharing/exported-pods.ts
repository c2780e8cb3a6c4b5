import type { ExportedAddresses } from '../ports.ts';

/** The addresses of pods of exported Services. The network is told what they are, and what they are follows from the network. */
export class ExportedPods implements ExportedAddresses {
  /** By namespace. */
  readonly #addresses = new Map<string, ReadonlySet<string>>();
  readonly #listeners: (() => void)[] = [];

  has(namespace: string, address: string): boolean {
    return this.#addresses.get(namespace)?.has(address) === true;
  }

  hasAddress(address: string): boolean {
    return [...this.#addresses.values()].some((addresses) => addresses.has(address));
  }

  all(): string[] {
    return [...new Set([...this.#addresses.values()].flatMap((addresses) => [...addresses]))].sort();
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** @param addresses all of that namespace */
  set(namespace: string, addresses: readonly string[]): undefined {
    const before = this.#addresses.get(namespace) ?? new Set();
    const now = new Set(addresses);
    if (before.size === now.size && before.isSubsetOf(now)) return undefined;
    if (now.size === 0) this.#addresses.delete(namespace);
    else this.#addresses.set(namespace, now);
    for (const listener of this.#listeners) listener();
    return undefined;
  }
}
