import { isIP } from 'node:net';
import { parseEndpoint } from '../../core/membership/endpoint.ts';
import type { PeerRecord } from '../../core/membership/peer-record.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface PeerHostsDeps {
  /** The addresses of a host name; empty when there are none. */
  resolve(host: string): Promise<string[]>;
  clock: Clock;
}

/** Names are looked up again after this, as a home's address may change daily. */
const KEEP_MS = 60_000;
/** More are not probed. */
const MAX_CANDIDATES = 8;

/** Where the WireGuard ports of peers may be: at the hosts of their peer ports. */
export class PeerHosts {
  readonly #deps: PeerHostsDeps;
  readonly #known = new Map<string, { addresses: string[]; at: number }>();

  constructor(deps: PeerHostsDeps) {
    this.#deps = deps;
  }

  async candidatesOf(record: PeerRecord): Promise<{ address: string; port: number }[]> {
    const { port } = record.network ?? {};
    if (port === undefined) return [];
    const hosts = record.endpoints.map((endpoint) => parseEndpoint(endpoint).host);
    const addresses = (await Promise.all(hosts.map((host) => this.#addressesOf(host)))).flat();
    return [...new Set(addresses)].slice(0, MAX_CANDIDATES).map((address) => ({ address, port }));
  }

  async #addressesOf(host: string): Promise<string[]> {
    if (isIP(host) !== 0) return [host];
    const now = this.#deps.clock.monotonic();
    const known = this.#known.get(host);
    if (known !== undefined && now - known.at < KEEP_MS) return known.addresses;
    const addresses = await this.#deps.resolve(host).catch(() => known?.addresses ?? []);
    this.#known.set(host, { addresses, at: now });
    return addresses;
  }
}
