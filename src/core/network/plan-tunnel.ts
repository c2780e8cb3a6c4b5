import type { NodeNetwork, PeerTraffic, TunnelPeer } from './node-network.ts';

/** The link as it is; undefined parts are not there. */
export interface TunnelState {
  publicKey: string | undefined;
  port: number | undefined;
  peers: readonly (PeerTraffic & { allowedIps: readonly string[]; keepaliveSeconds: number })[];
}

/** Keeps ways through NAT open, and shows that a tunnel works before anybody uses it. */
export const KEEPALIVE_SECONDS = 25;
/** A session of WireGuard ends this long after its handshake (REJECT_AFTER_TIME); until then its endpoint is known to be right. */
export const HANDSHAKE_FRESH_MS = 180_000;

export interface TunnelPlan {
  /** Set the private key. */
  setKey: boolean;
  setPort: boolean;
  /** Public keys. */
  remove: string[];
  set: { publicKey: string; allowedIps?: string; endpoint?: string; keepaliveSeconds?: number }[];
}

/** What turns the link's state into the wanted one. @param publicKey the wanted key's public half @param now milliseconds since 1970 */
export function planTunnel(network: NodeNetwork, state: TunnelState, publicKey: string, now: number): TunnelPlan {
  const wanted = new Set(network.peers.map((peer) => peer.publicKey));
  const actual = new Map(state.peers.map((peer) => [peer.publicKey, peer]));
  return {
    setKey: state.publicKey !== publicKey,
    setPort: state.port !== network.port,
    remove: state.peers.map((peer) => peer.publicKey).filter((key) => !wanted.has(key)),
    set: [...network.peers]
      .sort((a, b) => (a.publicKey < b.publicKey ? -1 : 1))
      .flatMap((peer) => planPeer(peer, actual.get(peer.publicKey), now)),
  };
}

export function isNothing(plan: TunnelPlan): boolean {
  return !plan.setKey && !plan.setPort && plan.remove.length === 0 && plan.set.length === 0;
}

function planPeer(peer: TunnelPeer, actual: TunnelState['peers'][number] | undefined, now: number): TunnelPlan['set'] {
  const { publicKey, prefix } = peer;
  const endpoint = planEndpoint(peer, actual, now);
  const allowed = actual?.allowedIps.length === 1 && actual.allowedIps[0] === prefix;
  const alive = actual?.keepaliveSeconds === KEEPALIVE_SECONDS;
  if (allowed && alive && endpoint === undefined) return [];
  return [
    {
      publicKey,
      ...(allowed ? {} : { allowedIps: prefix }),
      ...(alive ? {} : { keepaliveSeconds: KEEPALIVE_SECONDS }),
      ...(endpoint === undefined ? {} : { endpoint }),
    },
  ];
}

/**
 * The endpoint to set, if any. WireGuard itself follows a peer that moves: what it learned is better than anything announced
 * as long as the session is alive, and only a change of the path replaces it.
 */
function planEndpoint(peer: TunnelPeer, actual: PeerTraffic | undefined, now: number): string | undefined {
  const { endpoint, path } = peer;
  const current = actual?.endpoint;
  if (endpoint === undefined || endpoint === current) return undefined;
  if (current === undefined || path === 'relay' || isLoopback(current)) return endpoint;
  const alive = actual?.handshakeAt !== undefined && now - actual.handshakeAt < HANDSHAKE_FRESH_MS;
  return alive ? undefined : endpoint;
}

/** Packets of the relay come from loopback. */
export function isLoopback(endpoint: string): boolean {
  return endpoint.startsWith('127.');
}

/** The state that carrying out a plan leaves, for those parts that plans are about. */
export function afterPlan(
  state: TunnelState,
  plan: TunnelPlan,
  wanted: { publicKey: string; port: number },
): TunnelState {
  const peers = new Map(state.peers.map((peer) => [peer.publicKey, peer]));
  for (const key of plan.remove) peers.delete(key);
  for (const { publicKey, allowedIps, endpoint, keepaliveSeconds } of plan.set) {
    const before = peers.get(publicKey);
    peers.set(publicKey, {
      publicKey,
      handshakeAt: before?.handshakeAt,
      receivedBytes: before?.receivedBytes ?? 0,
      sentBytes: before?.sentBytes ?? 0,
      endpoint: endpoint ?? before?.endpoint,
      allowedIps: allowedIps === undefined ? (before?.allowedIps ?? []) : [allowedIps],
      keepaliveSeconds: keepaliveSeconds ?? before?.keepaliveSeconds ?? 0,
    });
  }
  return { ...wanted, peers: [...peers.values()] };
}

/** Reads `wg show LINK dump`: a line for the link, then one a peer, fields apart by tabs. */
export function parseTunnelState(dump: string): TunnelState {
  const [link = '', ...lines] = dump.trimEnd().split('\n');
  const [, publicKey, port] = link.split('\t');
  return {
    publicKey: known(publicKey),
    port: Number(port) || undefined,
    peers: lines.map((line) => {
      const [key = '', , endpoint, allowedIps = '', handshake, received, sent, keepalive] = line.split('\t');
      return {
        publicKey: key,
        endpoint: known(endpoint),
        allowedIps: allowedIps === '(none)' ? [] : allowedIps.split(','),
        handshakeAt: Number(handshake) === 0 ? undefined : Number(handshake) * 1_000,
        receivedBytes: Number(received),
        sentBytes: Number(sent),
        keepaliveSeconds: Number(keepalive) || 0,
      };
    }),
  };
}

function known(text: string | undefined): string | undefined {
  return text === undefined || text === '(none)' || text === '' ? undefined : text;
}
