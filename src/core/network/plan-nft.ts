import { LINK, NFT_TABLE, type NodeNetwork } from './node-network.ts';
import { guestSources, homeChains, homeRules } from './plan-homes.ts';
import { formatIpv4, parsePrefix } from './prefix.ts';

/** The first bytes of a probe; no WireGuard packet starts like this (its first byte is 1 to 4). */
export const PROBE_MAGIC = 'headcut\u0001';
const PROBE_MATCH = `@th,64,64 0x${Buffer.from(PROBE_MAGIC, 'latin1').toString('hex')}`;

/** The address that the node itself has in the pod network: the first one of its image, which no pod can have. */
export function nodeAddress(prefix: string): string {
  return formatIpv4(parsePrefix(prefix).base);
}

/**
 * The rules of the one-to-one mapping, as one transaction of `nft -f` that replaces the whole table.
 * Priorities: before the masquerade of CNI plugins and kube-proxy (100), as the first to set a connection's source wins; and
 * before kube-proxy's own DNAT (-100), so that what comes in through the tunnel never reaches a Service or a node port.
 */
export function planNft(network: NodeNetwork): string {
  return [
    // "add" first: deleting what is not there would fail the transaction.
    ...replaceTable('ip', [
      ...homeChains(network),
      ...mapping(network),
      ...fences(network),
      ...untranslated(network),
      ...probes(network),
    ]),
    ...replaceTable('ip6', probes(network)),
  ].join('\n');
}

/** Removes the tables, whether they are there or not. */
export function planNftRemoval(): string {
  return [...replaceTable('ip', undefined), ...replaceTable('ip6', undefined)].join('\n');
}

function replaceTable(family: string, chains: string[] | undefined): string[] {
  const remove = [`add table ${family} ${NFT_TABLE}`, `delete table ${family} ${NFT_TABLE}`];
  return chains === undefined ? remove : [...remove, `table ${family} ${NFT_TABLE} {`, ...chains, '}', ''];
}

function chain(name: string, hook: string, rules: string[]): string[] {
  return [`  chain ${name} {`, `    type ${hook}; policy accept;`, ...rules.map((rule) => `    ${rule}`), '  }'];
}

function mapping(network: NodeNetwork): string[] {
  const { podCidr, prefix } = network;
  const node = nodeAddress(prefix);
  const toPod = `dnat ip prefix to ip daddr map { ${prefix} : ${podCidr} }`;
  const toImage = `snat ip prefix to ip saddr map { ${podCidr} : ${prefix} }`;
  return [
    // From the tunnel, and from our own pods to images of our own pods.
    ...chain('prerouting', 'nat hook prerouting priority -110', [
      `ip daddr ${prefix} ip daddr != ${node} ${toPod}`,
      ...homeRules(network),
    ]),
    ...chain('output', 'nat hook output priority -110', [`ip daddr ${prefix} ip daddr != ${node} ${toPod}`]),
    ...chain('postrouting', 'nat hook postrouting priority 90', [
      `oifname "${LINK}" ${toImage}`,
      `oifname "${LINK}" ip saddr != ${prefix} snat to ${node}`,
      // A pod that talks to the image of its neighbour: the answer has to come back through us to be mapped.
      `ct status dnat ct original ip daddr ${prefix} ip daddr ${podCidr} ${toImage}`,
      ...guestSources(network, toImage),
    ]),
  ];
}

/** Peers reach pods, and nothing else of the node; only our own pods, the node and its Services reach peers. */
function fences({ podCidr, prefix, reachable }: NodeNetwork): string[] {
  const tooLarge = 'tcp option maxseg size set rt mtu';
  const allowed = reachable?.length === 0 ? [] : [`    elements = { ${reachable?.join(', ')} }`];
  return [
    ...(reachable === undefined ? [] : ['  set reachable {', '    type ipv4_addr', ...allowed, '  }']),
    ...chain('arriving', 'filter hook prerouting priority -290', [`iifname "${LINK}" ip daddr != ${prefix} drop`]),
    ...chain('input', 'filter hook input priority -10', [
      `iifname "${LINK}" ct state established,related accept`,
      `iifname "${LINK}" icmp type echo-request accept`,
      `iifname "${LINK}" drop`,
    ]),
    ...chain('forward', 'filter hook forward priority -10', [
      `iifname "${LINK}" ip daddr != ${podCidr} ct state new drop`,
      // Dropped, not refused: the first packet to a pod may be faster than the news of the pod, and is sent again.
      ...(reachable === undefined ? [] : [`iifname "${LINK}" ip daddr != @reachable ct state new drop`]),
      `oifname "${LINK}" ip saddr != ${podCidr} ct state new ct status & dnat != dnat drop`,
      `iifname "${LINK}" tcp flags & (syn|rst) == syn ${tooLarge}`,
      `oifname "${LINK}" tcp flags & (syn|rst) == syn ${tooLarge}`,
    ]),
  ];
}

/**
 * A connection to a Service that kube-proxy has no rule for yet would be noted as untranslated by connection tracking, and go
 * nowhere for good, however often its first packet is sent again. That packet is dropped instead, after kube-proxy had its
 * chance to refuse it: the next one is a second later. For the pods alone that Services of other clusters are made for.
 */
function untranslated({ podCidr, reachable, serviceCidrs }: NodeNetwork): string[] {
  if (serviceCidrs.length === 0) return [];
  const from = reachable === undefined ? podCidr : '@reachable';
  const toService = `ip daddr { ${serviceCidrs.join(', ')} }`;
  return chain('untranslated', 'filter hook forward priority 10', [
    `ip saddr ${from} ${toService} ct state new ct status & dnat != dnat drop`,
  ]);
}

/**
 * Probes leave and arrive with WireGuard's own port, so that they prove the very way that its packets take, through NAT and
 * firewalls; their ports are changed without connection tracking noticing: on the way out before it looks, on the way in after.
 */
function probes({ port, probePort }: NodeNetwork): string[] {
  return [
    ...chain('probes-in', 'filter hook prerouting priority -150', [
      `udp dport ${port} ${PROBE_MATCH} udp dport set ${probePort}`,
    ]),
    ...chain('probes-out', 'filter hook output priority -310', [
      `udp sport ${probePort} ${PROBE_MATCH} udp sport set ${port}`,
    ]),
  ];
}
