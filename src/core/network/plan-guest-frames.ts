import type { GuestHome } from './guest-homes.ts';
import { NFT_TABLE } from './node-network.ts';

/** A bridge that connects pods on this node. */
export interface PodBridge {
  name: string;
  /** Its own address, at which this node takes packets. */
  mac: string;
}

/** Families in which the table is. */
export const FRAME_FAMILIES = ['bridge', 'netdev'] as const;

export type FrameFamily = (typeof FRAME_FAMILIES)[number];

/**
 * Where a bridge connects pods, what guests send to others on it, and what these send to guests, is taken up by this node instead:
 * so all of it passes the rules of IP, both ways, also where packets on bridges do not. And this node answers for every
 * address of the pod network that a guest asks for, which may be one at its home that nobody has here.
 */
export function planGuestFrames(
  { homes, podCidr }: { homes: readonly GuestHome[]; podCidr: string },
  bridges: readonly PodBridge[],
): Record<FrameFamily, string> {
  const guests = homes.flatMap((home) => home.guests).sort();
  const isNeeded = guests.length > 0 && bridges.length > 0;
  return {
    bridge: table('bridge', isNeeded ? taken(guests, bridges) : []),
    netdev: table('netdev', isNeeded ? answered(guests, podCidr, bridges) : []),
  };
}

/** Removes a table, whether it is there or not. */
export function planGuestFramesRemoval(family: FrameFamily): string {
  return table(family, []);
}

/** Not every kernel can match the bridge of a frame: where there are two, ARP alone leads guests here. */
function taken(guests: readonly string[], [bridge, ...more]: readonly PodBridge[]): string[] {
  if (bridge === undefined || more.length > 0) return [];
  const toNode = `ether daddr set ${bridge.mac} meta pkttype set host`;
  const isUnicast = 'ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00';
  const set = `{ ${guests.join(', ')} }`;
  return [
    '  chain taken {',
    '    type filter hook prerouting priority -300; policy accept;',
    `    ${isUnicast} ip saddr ${set} ${toNode}`,
    `    ${isUnicast} ip daddr ${set} ${toNode}`,
    '  }',
  ];
}

/** A request becomes its own answer. That of a guest for its own address asks whether anybody else has it: nobody may say so. */
function answered(guests: readonly string[], podCidr: string, bridges: readonly PodBridge[]): string[] {
  return bridges.flatMap(({ name, mac }, index) => [
    `  chain answered-${index} {`,
    `    type filter hook ingress device "${name}" priority -300; policy accept;`,
    `    arp operation request arp saddr ip { ${guests.join(', ')} } arp daddr ip ${podCidr} arp daddr ip != { ${guests.join(', ')} } ${[
      'arp saddr ip set arp daddr ip',
      'arp daddr ether set ether saddr',
      'ether daddr set ether saddr',
      `ether saddr set ${mac}`,
      `arp saddr ether set ${mac}`,
      'arp operation set reply',
      `fwd to "${name}"`,
    ].join(' ')}`,
    '  }',
  ]);
}

function table(family: FrameFamily, lines: string[]): string {
  const remove = [`add table ${family} ${NFT_TABLE}`, `delete table ${family} ${NFT_TABLE}`];
  const made = lines.length === 0 ? [] : [`table ${family} ${NFT_TABLE} {`, ...lines, '}', ''];
  return [...remove, ...made].join('\n');
}
