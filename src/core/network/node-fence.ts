import { isIPv6 } from 'node:net';
import { CodedError } from '../coded-error.ts';
import { formatPrefix, parseIpv4, parsePrefix } from './prefix.ts';

/** The nftables table of what is fenced; beside that of the pod network, and there without it as well. */
export const FENCE_TABLE = 'hc-fence';

/** How far pods of other members reach from here: what the federation is for, the internet as well, or all that others reach. */
export type GuestAccess = 'Federation' | 'Internet' | 'All';

/** Ports of this node, by protocol. */
export interface Ports {
  tcp: number[];
  udp: number[];
}

/** What of this node and of what is around it is closed to whom. */
export interface NodeFence {
  podCidr: string;
  /** The addresses of pods that run here for others, those of one member together: they reach each other. */
  guests: string[][];
  /** The addresses of all other pods here. */
  residents: string[];
  /** The IPv6 addresses of guests, and of all other pods here; the federation has none. */
  guests6: string[];
  residents6: string[];
  /** A pod of another member starts, and its address is not known yet: who is not known may be it. */
  strangers: boolean;
  access: GuestAccess;
  /** Networks that guests reach beside that. */
  open: string[];
  /** Networks that are closed to guests beside what is nobody's on the internet. */
  closed: string[];
  /** Out of which Services have their addresses. */
  services: string[];
  /** This member's image, and the pods that may be reached by it; undefined: all. */
  image: { prefix: string; reachable: string[] | undefined } | undefined;
  /** Ports of the agent for pods of other members: names, and the API server of their home. */
  guestPorts: Ports;
  /** Ports of the agent for this node and its pods, and for `insiders`: API servers and scrapers elsewhere. */
  innerPorts: Ports;
  insiders: string[];
  /** The port of probes, which arrive at WireGuard's port: nobody sends to it. */
  probePort: number;
}

const MAX_GROUPS = 1_000;
const MAX_ADDRESSES = 4_000;
const MAX_NETWORKS = 500;
const MAX_PORTS = 2_000;

/** Reads what the agent wants; throws InvalidArgument. All of it gets into rules, and is written anew. */
export function parseNodeFence(value: unknown): NodeFence {
  const told = value as NodeFence;
  const { strangers, access, image, guestPorts, innerPorts, probePort } = told;
  check(typeof strangers === 'boolean', 'strangers');
  check(['Federation', 'Internet', 'All'].includes(access), 'access');
  check(Array.isArray(told.guests) && told.guests.length <= MAX_GROUPS, 'guests');
  return {
    podCidr: network(told.podCidr),
    guests: told.guests.map((group) => addresses(group, 'guests')),
    residents: addresses(told.residents, 'residents'),
    guests6: addresses6(told.guests6, 'guests6'),
    residents6: addresses6(told.residents6, 'residents6'),
    strangers,
    access,
    open: networks(told.open, 'open'),
    closed: networks(told.closed, 'closed'),
    services: networks(told.services, 'services'),
    image: image === undefined ? undefined : parseImage(image),
    guestPorts: ports(guestPorts),
    innerPorts: ports(innerPorts),
    insiders: networks(told.insiders, 'insiders'),
    probePort: port(probePort),
  };
}

function parseImage({ prefix, reachable }: NonNullable<NodeFence['image']>): NonNullable<NodeFence['image']> {
  return {
    prefix: network(prefix),
    reachable: reachable === undefined ? undefined : addresses(reachable, 'reachable'),
  };
}

function network(text: unknown): string {
  check(typeof text === 'string', 'network');
  return formatPrefix(parsePrefix(text as string));
}

function networks(told: unknown, field: string): string[] {
  check(Array.isArray(told) && told.length <= MAX_NETWORKS, field);
  return (told as unknown[]).map(network);
}

function addresses(told: unknown, field: string): string[] {
  check(Array.isArray(told) && told.length <= MAX_ADDRESSES, field);
  const list = told as unknown[];
  check(
    list.every((one) => typeof one === 'string' && parseIpv4(one) !== undefined),
    field,
  );
  return list as string[];
}

function addresses6(told: unknown, field: string): string[] {
  check(Array.isArray(told) && told.length <= MAX_ADDRESSES, field);
  const list = told as unknown[];
  check(
    list.every((one) => typeof one === 'string' && /^[0-9a-f:.]+$/.test(one) && isIPv6(one)),
    field,
  );
  return list as string[];
}

function ports(told: Ports): Ports {
  check(Array.isArray(told?.tcp) && Array.isArray(told.udp), 'ports');
  check(told.tcp.length + told.udp.length <= MAX_PORTS, 'ports');
  return { tcp: told.tcp.map(port), udp: told.udp.map(port) };
}

function port(told: unknown): number {
  check(Number.isInteger(told) && Number(told) >= 1 && Number(told) <= 65_535, 'port');
  return told as number;
}

function check(holds: boolean, field: string): void {
  if (!holds) throw new CodedError('InvalidArgument', `the node's fence has no valid ${field}`);
}
