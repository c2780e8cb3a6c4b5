import { LINK } from './node-network.ts';
import { overlaps, type Prefix, readPrefix } from './prefix.ts';

/** What `ip -json route show table all` says of a route, as far as it is read. */
export interface RouteEntry {
  dst?: string;
  dev?: string;
  type?: string;
}

/** Routes as wide as these are parts of a default route: 0.0.0.0/1, or what a VPN makes of "everything but". */
const DEFAULT_LIKE = 7;
/** Routes that lead nowhere: nobody uses what they cover. */
const NOWHERE = new Set(['blackhole', 'unreachable', 'prohibit', 'throw']);

/** The networks of these routes, in whatever table, that lead to something other than a default route or our own link does. */
export function usedRoutes(routes: readonly RouteEntry[]): Prefix[] {
  return routes.flatMap(({ dst = '', dev, type = 'unicast' }) => {
    const network = readPrefix(dst.includes('/') ? dst : `${dst}/32`);
    if (network === undefined || network.length <= DEFAULT_LIKE || dev === LINK || NOWHERE.has(type)) return [];
    return [network];
  });
}

/** The smallest network that all of these lie in; undefined for none. */
export function coveringNetwork(networks: readonly Prefix[]): Prefix | undefined {
  const [first] = networks;
  if (first === undefined) return undefined;
  for (let length = first.length; length > 0; length -= 1) {
    const outer = { base: first.base - (first.base % 2 ** (32 - length)), length };
    if (networks.every((one) => one.length >= length && overlaps(outer, one))) return outer;
  }
  return { base: 0, length: 0 };
}
