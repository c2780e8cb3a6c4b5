import { FENCE_TABLE, type NodeFence, type Ports } from './node-fence.ts';
import { LINK } from './node-network.ts';

/** What the node itself tells of where its pods are. */
export interface FencedNode {
  /** The links that lead to pods: a bridge, or one a pod. */
  podLinks: readonly string[];
  /** Packets between pods on one bridge pass the rules of IP (bridge-nf-call-iptables). */
  bridgedPacketsPass: boolean;
  /** When guests are held no more, in seconds since 1970: nobody tells whose an address is while the agent is away for long. */
  lapsesAt: number;
}

/**
 * What is nobody's on the internet: private, shared and link-local addresses, of this node, groups, what is reserved, and the one
 * public address at which a cloud has its metadata (Azure).
 */
const NOT_INTERNET = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/3', '168.63.129.16/32'],
];
/** Families in which the table is. */
export const FENCE_FAMILIES = ['ip', 'ip6', 'bridge'] as const;

export type FenceFamily = (typeof FENCE_FAMILIES)[number];

/** The rules of the fence, for each family as one transaction of `nft -f` that replaces the whole table. */
export function planFence(fence: NodeFence, node: FencedNode): Record<FenceFamily, string> {
  const ip = [
    ...sets(fence),
    ...sources(fence, node),
    ...guestChains(fence),
    ...input(fence, node),
    ...forward(fence, node),
  ];
  return {
    ip: table('ip', ip),
    ip6: table('ip6', hasGuests(fence) ? withoutIpv6(fence, node) : []),
    bridge: table('bridge', hasGuests(fence) ? bridged(fence, node) : []),
  };
}

/** Removes a table, whether it is there or not. */
export function planFenceRemoval(family: FenceFamily): string {
  return table(family, []);
}

/** Whether guests are held back at all. */
function hasGuests({ access, guests, strangers }: NodeFence): boolean {
  return access !== 'All' && (strangers || guests.some((group) => group.length > 0));
}

function table(family: FenceFamily, lines: string[]): string {
  // "add" first: deleting what is not there would fail the transaction.
  const remove = [`add table ${family} ${FENCE_TABLE}`, `delete table ${family} ${FENCE_TABLE}`];
  const made = lines.length === 0 ? [] : [`table ${family} ${FENCE_TABLE} {`, ...lines, '}', ''];
  return [...remove, ...made].join('\n');
}

function chain(name: string, hook: string | undefined, rules: string[]): string[] {
  const head = hook === undefined ? [] : [`    type ${hook}; policy accept;`];
  return [`  chain ${name} {`, ...head, ...rules.map((rule) => `    ${rule}`), '  }'];
}

function set(name: string, type: string, elements: readonly string[]): string[] {
  const unique = [...new Set(elements)].sort();
  const filled = unique.length === 0 ? [] : [`    elements = { ${unique.join(', ')} }`];
  return [`  set ${name} {`, `    type ${type}`, ...filled, '  }'];
}

const NETWORKS = 'ipv4_addr; flags interval; auto-merge';

function sets({ guests, residents, podCidr, open, closed, services, image, insiders }: NodeFence): string[] {
  return [
    ...set('guests', 'ipv4_addr', guests.flat()),
    ...set('residents', 'ipv4_addr', residents),
    ...set('open', NETWORKS, open),
    ...set('closed', NETWORKS, [...NOT_INTERNET, podCidr, ...services, ...closed]),
    ...set('services', NETWORKS, services),
    ...set('inside', NETWORKS, [podCidr, ...insiders]),
    ...(image?.reachable === undefined ? [] : set('reachable', 'ipv4_addr', image.reachable)),
  ];
}

/** Nobody has the address of a pod but where the way back leads to that pod, and pods have no other one. */
function sources({ podCidr, probePort }: NodeFence, { podLinks }: FencedNode): string[] {
  return chain('sources', 'filter hook prerouting priority -295', [
    ...(podLinks.length === 0 ? [] : [`iifname ${names(podLinks)} fib saddr . iif oif missing drop`]),
    // Where a network routes back over another link than pods send by (Cilium: lxc… and cilium_host), it checks sources itself.
    `iifname != { "lo", "${LINK}" } iifname != "lxc*" ip saddr ${podCidr} fib saddr . iif oif missing drop`,
    `iifname != "lo" udp dport ${probePort} drop`,
  ]);
}

function guestChains(fence: NodeFence): string[] {
  if (!hasGuests(fence)) return [];
  const { guests, access, image } = fence;
  const toImage = image?.reachable === undefined ? '' : ' ip daddr @reachable';
  const federation = [
    `oifname "${LINK}" accept`,
    ...(image === undefined ? [] : [`ct status dnat ct original ip daddr ${image.prefix}${toImage} accept`]),
    'ip daddr @open accept',
    // Not translated yet (core/network/plan-nft): no answer, so that it is asked again when it is.
    'ip daddr @services drop',
  ];
  const beyond = (verdict: string): string => (access === 'Federation' ? verdict : `ip daddr @closed ${verdict}`);
  return [
    // Who is not known gets no answer: it is asked again when it is.
    ...chain('stranger-out', undefined, [...federation, beyond('drop')]),
    ...chain('guest-out', undefined, [...federation, beyond(REFUSE)]),
    ...guests.flatMap((group, index) =>
      group.length === 0
        ? []
        : chain(`guest-${index}`, undefined, [`ip daddr ${inSet(group)} accept`, 'goto guest-out']),
    ),
  ];
}

const REFUSE = 'reject with icmp admin-prohibited';

/** What the node itself answers to guests, and its own ports to others. */
function input(fence: NodeFence, { lapsesAt }: FencedNode): string[] {
  const { innerPorts, guestPorts } = fence;
  const { tcp, udp } = { tcp: [...innerPorts.tcp, ...guestPorts.tcp], udp: [...innerPorts.udp, ...guestPorts.udp] };
  const held = hasGuests(fence);
  const guests = [
    ...toPorts(guestPorts, (ports) => `ip saddr @guests ${ports} accept`),
    `ip saddr @guests ${REFUSE}`,
    ...(fence.strangers ? toPorts(guestPorts, (ports) => `${unknown(fence)} ${ports} accept`) : []),
    ...(fence.strangers ? [`${unknown(fence)} drop`] : []),
  ];
  return [
    ...(held ? chain('guest-in', undefined, guests) : []),
    ...chain('input', 'filter hook input priority -10', [
      'iifname "lo" accept',
      'ct state established,related accept',
      ...(held ? [`meta time <= ${lapsesAt} jump guest-in`] : []),
      ...toPorts({ tcp, udp }, (ports) => `ip saddr != @inside ${ports} drop`),
    ]),
  ];
}

function unknown({ podCidr }: NodeFence): string {
  return `ip saddr ${podCidr} ip saddr != @residents`;
}

function toPorts({ tcp, udp }: Ports, rule: (ports: string) => string): string[] {
  return [
    ...(tcp.length === 0 ? [] : [rule(`tcp dport ${inSet(tcp)}`)]),
    ...(udp.length === 0 ? [] : [rule(`udp dport ${inSet(udp)}`)]),
  ];
}

function forward(fence: NodeFence, node: FencedNode): string[] {
  if (!hasGuests(fence)) return [];
  const owners = new Map<string, string>();
  // Of two members' pods that show one address, as after a restart of the machine, nobody knows yet whose it is.
  for (const [index, group] of fence.guests.entries())
    for (const address of group) owners.set(address, owners.has(address) ? 'guest-out' : `guest-${index}`);
  const verdicts = [...owners].map(([address, to]) => `${address} : goto ${to}`).sort();
  return chain('forward', 'filter hook forward priority -10', [
    'ct state established,related accept',
    lapse(node),
    ...(verdicts.length === 0 ? [] : [`ip saddr vmap { ${verdicts.join(', ')} }`]),
    ...(fence.strangers ? [`${unknown(fence)} goto stranger-out`] : []),
  ]);
}

function lapse({ lapsesAt }: FencedNode): string {
  return `meta time > ${lapsesAt} accept`;
}

/**
 * The federation has no IPv6, and of public addresses of IPv6 nobody can tell whether they are the house's: guests answer, and open
 * nothing. A node without IPv6 has link-local addresses all the same, by which its pods reach it and each other, and which nobody
 * knows before: while guests are here these carry no connections of any pod. Neighbour discovery goes on.
 */
function withoutIpv6({ guests6, residents6, strangers }: NodeFence, node: FencedNode): string[] {
  const { podLinks } = node;
  const answers = [lapse(node), 'ct state established,related accept', 'icmpv6 type { 133, 134, 135, 136 } accept'];
  const fromPods = podLinks.length === 0 ? undefined : `iifname ${names(podLinks)}`;
  const held = [
    ...(guests6.length === 0 ? [] : [`ip6 saddr ${inSet(guests6)} drop`]),
    ...(fromPods === undefined || !strangers
      ? []
      : [`${fromPods} ${residents6.length === 0 ? '' : `ip6 saddr != ${inSet(residents6)} `}drop`]),
  ];
  const linkLocal = fromPods === undefined ? [] : [`${fromPods} ip6 saddr fe80::/10 ${CONNECTIONS} drop`];
  return [
    ...chain('input', 'filter hook input priority -10', [...answers, ...linkLocal, ...held]),
    ...chain('forward', 'filter hook forward priority -10', [...answers, ...held]),
  ];
}

const CONNECTIONS = 'meta l4proto { tcp, udp, sctp }';
/** The ends of pods' links as CNI plugins name them; the bridge itself cannot be matched by every kernel. */
const BETWEEN_PODS = 'iifname "veth*" oifname "veth*"';

/**
 * Between pods on one bridge. Where its packets do not pass the rules of IP there is no connection tracking either: guests open
 * no connections of TCP there, and send nothing else, but to their own.
 */
function bridged({ guests, guests6, podCidr, open }: NodeFence, node: FencedNode): string[] {
  const groups = guests.filter((group) => group.length > 0);
  const all = groups.flat();
  const stateless =
    node.bridgedPacketsPass || all.length === 0
      ? []
      : [
          ...groups.map((group) => `ip saddr ${inSet(group)} ip daddr ${inSet(group)} accept`),
          ...open.map((network) => `ip saddr ${inSet(all)} ip daddr ${network} accept`),
          `ip saddr ${inSet(all)} ip daddr ${podCidr} tcp flags & (syn | ack) == syn drop`,
          `ip saddr ${inSet(all)} ip daddr ${podCidr} ip protocol != { tcp, icmp } drop`,
        ];
  return chain('forward', 'filter hook forward priority -10', [
    lapse(node),
    `${BETWEEN_PODS} ip6 saddr fe80::/10 ${CONNECTIONS} drop`,
    ...(guests6.length === 0 ? [] : [`ip6 saddr ${inSet(guests6)} tcp flags & (syn | ack) == syn drop`]),
    ...stateless,
  ]);
}

function names(links: readonly string[]): string {
  return `{ ${[...links]
    .sort()
    .map((link) => `"${link}"`)
    .join(', ')} }`;
}

function inSet(elements: readonly (string | number)[]): string {
  return `{ ${[...new Set(elements)].sort().join(', ')} }`;
}
