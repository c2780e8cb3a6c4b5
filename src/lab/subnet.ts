import { createHash } from 'node:crypto';
import { CodedError } from '../core/coded-error.ts';

/**
 * The lab network's address range. Candidates are the /24s of 10.192.0.0–10.239.255.0: clear of the clusters' own
 * ranges (pods 10.244.0.0/16, Services 10.96.0.0/12), of 100.64.0.0/10, which the federation maps peers to, and of what
 * homes and container engines use most (192.168/16, 172.17–31/16, low 10.x).
 */
const FIRST_SECOND_OCTET = 192;
const SECOND_OCTETS = 48;
const CANDIDATES = SECOND_OCTETS * 256;

/** The first free /24 (as `10.200.7`), starting at a place that only the lab's name decides. @param routes CIDRs in use on the host */
export function chooseSubnet(labName: string, routes: readonly string[]): string {
  const start = createHash('sha256').update(labName).digest().readUInt32BE(0) % CANDIDATES;
  for (let step = 0; step < CANDIDATES; step++) {
    const index = (start + step) % CANDIDATES;
    const prefix = `10.${FIRST_SECOND_OCTET + (index >> 8)}.${index & 255}`;
    if (!collides(prefix, routes)) return prefix;
  }
  throw new CodedError(
    'ResourceExhausted',
    'every candidate for the lab network collides with a route of this machine',
  );
}

/** True when the /24 overlaps one of `routes`. A default route is no collision. */
export function collides(prefix: string, routes: readonly string[]): boolean {
  const ours = toRange(`${prefix}.0/24`);
  return routes.some((route) => {
    const range = toRange(route);
    return range.bits > 0 && range.first <= ours.last && ours.first <= range.last;
  });
}

/** The destinations in the output of `ip -4 -json route show table all`. */
export function routesFromJson(json: string): string[] {
  const routes = JSON.parse(json === '' ? '[]' : json) as { dst?: string }[];
  return routes.flatMap(({ dst }) => (dst === undefined || dst === 'default' ? [] : [dst]));
}

function toRange(cidr: string): { first: number; last: number; bits: number } {
  const [address = '', length = '32'] = cidr.split('/');
  const bits = Number(length);
  const value = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** (32 - bits);
  const first = Math.floor(value / size) * size;
  return { first, last: first + size - 1, bits };
}
