import { isIP, isIPv4 } from 'node:net';
import { CodedError, messageOf } from '../coded-error.ts';
import { type GuestHome, parseGuestHomes } from './guest-homes.ts';
import type { NodeFence } from './node-fence.ts';
import { formatPrefix, overlaps, type Prefix, parsePrefix } from './prefix.ts';
import { problemOfPublicKey, publicKeyOf } from './wireguard-key.ts';

/** The names of what headcut makes in a node's network namespace. Nothing else there is ever touched. */
export const LINK = 'headcut0';
export const NFT_TABLE = 'headcut';

/** The Unix socket, in a folder that the agent shares with the process that changes the node's network. */
export const NETWORK_SOCKET = 'network.sock';

/** The whole state wanted of a node's part of the pod network. */
export interface NodeNetwork {
  /** WireGuard private key, base64. */
  privateKey: string;
  /** UDP port of WireGuard. */
  port: number;
  /** UDP port of the agent's probes, which travel disguised as packets of `port` (core/network/plan-nft). */
  probePort: number;
  podCidr: string;
  prefix: string;
  /** The pods that peers may open connections to, by their own addresses; undefined: all. */
  reachable: string[] | undefined;
  /** The networks out of which this cluster's Services have their addresses; empty where that is not known. */
  serviceCidrs: string[];
  /** Where the pods that run here for others come from. */
  homes?: GuestHome[];
  /** Networks whose addresses mean for these pods as well what they mean here. */
  local?: string[];
  peers: TunnelPeer[];
}

export interface TunnelPeer {
  /** WireGuard public key, base64. */
  publicKey: string;
  prefix: string;
  /** `relay`: a socket of the agent on loopback, which carries packets over the peer port. */
  path: 'udp' | 'relay';
  /** `address:port`; undefined when the peer has to speak first. */
  endpoint: string | undefined;
}

/** What a node's tunnels are doing. */
export interface TunnelReport {
  kind: 'kernel' | 'wireguard-go';
  mtu: number;
  peers: PeerTraffic[];
  /** Peers of whom nothing was made; all others are as wanted. */
  problems?: EntryProblem[];
  /** Pods of others are bridged as all are, as this kernel cannot take their frames up: addresses of pods at home lead nowhere. */
  bridged?: boolean;
}

/** Why the entry of one peer was not made. */
export interface EntryProblem {
  publicKey: string;
  reason: 'InvalidEntry' | 'InUse' | 'EntryFailed';
  message: string;
}

export interface PeerTraffic {
  publicKey: string;
  endpoint: string | undefined;
  /** Milliseconds since 1970; undefined before the first handshake. */
  handshakeAt: number | undefined;
  receivedBytes: number;
  sentBytes: number;
}

/** What the agent asks of the process that holds the right to change the node's network (wire/beside). */
export type NodeNetworkCall =
  | { type: 'apply'; network: NodeNetwork }
  | { type: 'report' }
  /** What is closed to whom on the node, with a pod network and without. */
  | { type: 'fence'; fence: NodeFence }
  /** Removes all that was ever made of the pod network. */
  | { type: 'remove' };

const KEY = /^[A-Za-z0-9+/]{43}=$/;
/** A member of a larger federation than this would have to be told in parts. */
const MAX_PEERS = 1_000;
const MAX_SERVICE_CIDRS = 100;
const MAX_LOCAL = 600;

/** The range whose routes are asked for; throws InvalidArgument. */
export function parseNetworkRange(text: unknown): string {
  return canonical(text);
}

/**
 * Reads the pod network that is wanted; throws InvalidArgument. All that gets into a command or a rule is checked here, and written anew,
 * as the reader has more rights than the writer. A peer's entry that cannot be made is named, and the others are.
 */
export function parseNodeNetwork(value: unknown): { network: NodeNetwork; problems: EntryProblem[] } {
  const network = value as NodeNetwork;
  const { privateKey, port, probePort, reachable, serviceCidrs, homes = [], local = [] } = network;
  check(typeof privateKey === 'string' && KEY.test(privateKey), 'privateKey');
  check(isPort(port) && isPort(probePort) && port !== probePort, 'port');
  const [podCidr, prefix] = [canonical(network.podCidr), canonical(network.prefix)];
  check(parsePrefix(podCidr).length === parsePrefix(prefix).length, 'prefix');
  check(Array.isArray(network.peers) && network.peers.length <= MAX_PEERS, 'peers');
  check(reachable === undefined || (Array.isArray(reachable) && reachable.every((one) => isIPv4(one))), 'reachable');
  check(Array.isArray(serviceCidrs) && serviceCidrs.length <= MAX_SERVICE_CIDRS, 'serviceCidrs');
  check(Array.isArray(local) && local.length <= MAX_LOCAL, 'local');
  const { peers, problems } = parsePeers({ privateKey, own: [podCidr, prefix] }, network.peers);
  return {
    network: {
      privateKey,
      port,
      probePort,
      podCidr,
      prefix,
      reachable,
      serviceCidrs: serviceCidrs.map(canonical),
      homes: parseGuestHomes(homes),
      local: local.map(canonical),
      peers,
    },
    problems,
  };
}

function canonical(text: unknown): string {
  check(typeof text === 'string', 'prefix');
  return formatPrefix(parsePrefix(text as string));
}

/** Each peer by itself; of two that meet the first. */
function parsePeers(
  { privateKey, own }: { privateKey: string; own: readonly string[] },
  told: readonly unknown[],
): { peers: TunnelPeer[]; problems: EntryProblem[] } {
  const keys = new Set([publicKeyOf(privateKey)]);
  const taken: Prefix[] = own.map(parsePrefix);
  const peers: TunnelPeer[] = [];
  const problems: EntryProblem[] = [];
  for (const one of told) {
    try {
      const peer = parsePeer(one);
      const network = parsePrefix(peer.prefix);
      check(!keys.has(peer.publicKey), 'publicKey (another one has it)');
      check(!taken.some((other) => overlaps(network, other)), 'prefix (another one has it)');
      keys.add(peer.publicKey);
      taken.push(network);
      peers.push(peer);
    } catch (error) {
      const publicKey = String((one as Partial<TunnelPeer> | null)?.publicKey).slice(0, 64);
      problems.push({ publicKey, reason: 'InvalidEntry', message: messageOf(error) });
    }
  }
  return { peers, problems };
}

function parsePeer(told: unknown): TunnelPeer {
  check(typeof told === 'object' && told !== null, 'peers');
  const { publicKey, prefix, path, endpoint } = told as TunnelPeer;
  check(problemOfPublicKey(publicKey) === undefined, 'publicKey');
  check(path === 'udp' || path === 'relay', 'path');
  check(endpoint === undefined || (typeof endpoint === 'string' && isSocketAddress(endpoint)), 'endpoint');
  return { publicKey, prefix: canonical(prefix), path, endpoint };
}

/** `192.0.2.1:51820` or `[2001:db8::1]:51820` */
export function isSocketAddress(text: string): boolean {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([0-9.]+)):(\d{1,5})$/.exec(text);
  return match !== null && isIP(match[1] ?? match[2] ?? '') !== 0 && isPort(Number(match[3]));
}

function isPort(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;
}

function check(holds: boolean, field: string): void {
  if (!holds) throw new CodedError('InvalidArgument', `the node's network has no valid ${field}`);
}
