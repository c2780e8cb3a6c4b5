import { isIP } from 'node:net';
import { parseEndpoint } from '../../core/membership/endpoint.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import { isOuterAddress } from '../../core/network/outer-address.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface PeerHostsDeps {
  /** The addresses of a host name; empty when there are none. */
  resolve(host: string): Promise<string[]>;
  /** Names were looked up: there may be other addresses. */
  onChange(): void;
  clock: Clock;
}

/** Names are looked up again after this, as a home's address may change daily. */
const KEEP_MS = 60_000;
/** More are not probed. */
const MAX_CANDIDATES = 8;
/** Of one member, names after these are not looked up. */
const MAX_NAMES = 4;
/** Lookups under way, one a member: each holds a thread of the process until the resolver gives up. */
const MAX_LOOKUPS = 2;

/**
 * Where the WireGuard ports of peers may be: at the hosts of their peer ports. Names are looked up beside, so that a zone that
 * does not answer keeps nobody else waiting.
 */
export class PeerHosts {
  readonly #deps: PeerHostsDeps;
  readonly #known = new Map<string, { addresses: string[]; at: number }>();
  /** Members whose names are to be looked up, in the order in which they asked. */
  readonly #waiting = new Map<string, string[]>();
  readonly #busy = new Set<string>();

  constructor(deps: PeerHostsDeps) {
    this.#deps = deps;
  }

  /** What is known now. */
  candidatesOf({ id, network, endpoints }: Pick<PeerRecord, 'id' | 'network' | 'endpoints'>): {
    address: string;
    port: number;
  }[] {
    if (network === undefined) return [];
    const hosts = endpoints.flatMap(hostOf);
    const names = [...new Set(hosts.filter((host) => isIP(host) === 0))].slice(0, MAX_NAMES);
    const stale = names.filter((name) => this.#isStale(name));
    if (stale.length > 0) this.#lookUp(id, stale);
    const addresses = hosts.flatMap((host) => (isIP(host) !== 0 ? [host] : (this.#known.get(host)?.addresses ?? [])));
    const usable = [...new Set(addresses)].filter(isOuterAddress).slice(0, MAX_CANDIDATES);
    return usable.map((address) => ({ address, port: network.port }));
  }

  /** Forgets the names that nobody has any more. */
  retain(records: readonly Pick<PeerRecord, 'endpoints'>[]): void {
    const hosts = new Set(records.flatMap(({ endpoints }) => endpoints.flatMap(hostOf)));
    for (const host of this.#known.keys()) if (!hosts.has(host)) this.#known.delete(host);
  }

  #isStale(name: string): boolean {
    const known = this.#known.get(name);
    return known === undefined || this.#deps.clock.monotonic() - known.at >= KEEP_MS;
  }

  #lookUp(id: string, names: string[]): void {
    if (this.#busy.has(id)) return;
    this.#waiting.set(id, names);
    this.#next();
  }

  #next(): void {
    const [next] = this.#waiting;
    if (next === undefined || this.#busy.size >= MAX_LOOKUPS) return;
    const [id, names] = next;
    this.#waiting.delete(id);
    this.#busy.add(id);
    void this.#resolveAll(names).finally(() => {
      this.#busy.delete(id);
      this.#deps.onChange();
      this.#next();
    });
  }

  async #resolveAll(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const before = this.#known.get(name)?.addresses ?? [];
      const addresses = await this.#deps.resolve(name).catch(() => before);
      this.#known.set(name, { addresses: addresses.slice(0, MAX_CANDIDATES), at: this.#deps.clock.monotonic() });
    }
  }
}

/** The host of an endpoint; none where it is no endpoint. */
function hostOf(endpoint: string): string[] {
  try {
    return [parseEndpoint(endpoint).host];
  } catch {
    return [];
  }
}
