import { isIP, isIPv4 } from 'node:net';
import { CodedError } from '../coded-error.ts';
import { parsePrefix } from './prefix.ts';

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
}

export interface PeerTraffic {
  publicKey: string;
  endpoint: string | undefined;
  /** Milliseconds since 1970; undefined before the first handshake. */
  handshakeAt: number | undefined;
  receivedBytes: number;
  sentBytes: number;
}

/** What the agent asks of the process that holds the right to change the node's network. */
export type NodeNetworkRequest =
  | { type: 'apply'; network: NodeNetwork }
  | { type: 'report' }
  /** Removes all that was ever made. */
  | { type: 'remove' };

export type NodeNetworkAnswer = { ok: true; report?: TunnelReport } | { ok: false; message: string };

const KEY = /^[A-Za-z0-9+/]{43}=$/;
/** A member of a larger federation than this would have to be told in parts. */
const MAX_PEERS = 1_000;
const MAX_SERVICE_CIDRS = 100;

/** Reads a request; throws InvalidArgument. All that gets into a command or a rule is checked here, as the reader has more rights than the writer. */
export function parseNodeNetworkRequest(line: string): NodeNetworkRequest {
  const value = JSON.parse(line) as { type?: unknown; network?: unknown };
  if (value.type === 'report' || value.type === 'remove') return { type: value.type };
  if (value.type !== 'apply') throw new CodedError('InvalidArgument', 'unknown request');
  return { type: 'apply', network: parseNodeNetwork(value.network) };
}

function parseNodeNetwork(value: unknown): NodeNetwork {
  const network = value as NodeNetwork;
  const { privateKey, port, probePort, podCidr, prefix, reachable, serviceCidrs, peers } = network;
  check(KEY.test(privateKey), 'privateKey');
  check(isPort(port) && isPort(probePort) && port !== probePort, 'port');
  check(parsePrefix(podCidr).length === parsePrefix(prefix).length, 'prefix');
  check(Array.isArray(peers) && peers.length <= MAX_PEERS, 'peers');
  check(reachable === undefined || (Array.isArray(reachable) && reachable.every((one) => isIPv4(one))), 'reachable');
  check(Array.isArray(serviceCidrs) && serviceCidrs.length <= MAX_SERVICE_CIDRS, 'serviceCidrs');
  for (const cidr of serviceCidrs) parsePrefix(cidr);
  return { privateKey, port, probePort, podCidr, prefix, reachable, serviceCidrs, peers: peers.map(parsePeer) };
}

function parsePeer(peer: TunnelPeer): TunnelPeer {
  const { publicKey, prefix, path, endpoint } = peer;
  check(KEY.test(publicKey), 'publicKey');
  parsePrefix(prefix);
  check(path === 'udp' || path === 'relay', 'path');
  check(endpoint === undefined || isSocketAddress(endpoint), 'endpoint');
  return { publicKey, prefix, path, endpoint };
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
  if (!holds) throw new CodedError('InvalidArgument', `the field ${field} of the node's network is invalid`);
}
