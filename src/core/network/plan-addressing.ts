import { LINK, type NodeNetwork } from './node-network.ts';
import { nodeAddress } from './plan-nft.ts';

/** What `ip` says of the link. */
export interface Addressing {
  mtu: number;
  up: boolean;
  /** With their length. */
  addresses: readonly string[];
  routes: readonly { to: string; from: string }[];
}

/** Outer IPv6 header 40, UDP 8, WireGuard 32: what wg-quick takes off as well. */
const TUNNEL_OVERHEAD_BYTES = 80;
const ETHERNET_MTU = 1500;
/** What IPv6 demands of every link; smaller ones are broken anyway. */
const MIN_MTU = 1280;

/**
 * The `ip` commands that make the link's size, address and routes as wanted.
 * @param carrierMtus what the ways to the peers take at most; undefined where there is no way now
 */
export function planAddressing(
  network: NodeNetwork,
  actual: Addressing,
  carrierMtus: readonly (number | undefined)[],
): { mtu: number; commands: string[][] } {
  const carrier = Math.min(...carrierMtus.filter((mtu) => mtu !== undefined), Number.POSITIVE_INFINITY);
  const mtu = Math.max(MIN_MTU, (Number.isFinite(carrier) ? carrier : ETHERNET_MTU) - TUNNEL_OVERHEAD_BYTES);
  const node = nodeAddress(network.prefix);
  // Routes appear as `ip` writes them, without the length of a single address; prefixes of pods are never that small.
  const wanted = network.peers.map((peer) => peer.prefix).sort();
  const link = actual.mtu === mtu && actual.up ? [] : [['link', 'set', 'dev', LINK, 'mtu', String(mtu), 'up']];
  const isRight = ({ to, from }: { to: string; from: string }): boolean => wanted.includes(to) && from === node;
  const missing = wanted.filter((to) => !actual.routes.some((route) => route.to === to && isRight(route)));
  const surplus = actual.routes.filter((route) => !isRight(route));
  const address = `${node}/32`;
  return {
    mtu,
    commands: [
      ...link,
      ...(actual.addresses.includes(address) ? [] : [['address', 'add', address, 'dev', LINK]]),
      ...surplus.map((route) => ['route', 'delete', route.to, 'dev', LINK]),
      // Added, not replaced: a route of somebody else for the same network stays.
      ...missing.map((to) => ['route', 'add', to, 'dev', LINK, 'src', node]),
      // Last, as routes go with their source address.
      ...actual.addresses.filter((one) => one !== address).map((one) => ['address', 'delete', one, 'dev', LINK]),
    ],
  };
}

/** Standard input of `ip -batch -`. */
export function toBatch(commands: readonly (readonly string[])[]): string {
  return commands.map((command) => `${command.join(' ')}\n`).join('');
}
