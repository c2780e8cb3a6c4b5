import { BlockList, isIP } from 'node:net';

/** Networks in which no other member's node is: this node itself, links, groups, what is reserved. */
const NEVER = { 4: new BlockList(), 6: new BlockList() };
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 3],
] as const)
  NEVER[4].addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::', 127],
  // IPv4 in another form.
  ['::ffff:0.0.0.0', 96],
  ['fe80::', 10],
  ['ff00::', 8],
] as const)
  NEVER[6].addSubnet(network, bits, 'ipv6');

/** Whether packets for another member's node may be sent to an address that somebody names. */
export function isOuterAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !NEVER[4].check(address, 'ipv4');
    case 6:
      return !address.includes('%') && !NEVER[6].check(address, 'ipv6');
    default:
      return false;
  }
}
