import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeNetwork, TunnelPeer } from '../../../src/core/network/node-network.ts';
import {
  afterPlan,
  HANDSHAKE_FRESH_MS,
  isNothing,
  parseTunnelState,
  planTunnel,
  type TunnelState,
} from '../../../src/core/network/plan-tunnel.ts';

const NOW = 10_000_000;
const EMPTY: TunnelState = { publicKey: undefined, port: undefined, peers: [] };

function network(...peers: TunnelPeer[]): NodeNetwork {
  return {
    privateKey: 'k',
    port: 51820,
    probePort: 7445,
    podCidr: '10.244.0.0/24',
    prefix: '100.64.1.0/24',
    reachable: undefined,
    serviceCidrs: [],
    peers,
  };
}

const peer = (overrides: Partial<TunnelPeer> = {}): TunnelPeer => ({
  publicKey: 'B',
  prefix: '100.64.2.0/24',
  path: 'udp',
  endpoint: '192.0.2.2:51820',
  ...overrides,
});

function stateWith(endpoint: string | undefined, handshakeAgoMs: number | undefined): TunnelState {
  const traffic = { receivedBytes: 0, sentBytes: 0, keepaliveSeconds: 25, allowedIps: ['100.64.2.0/24'] };
  const handshakeAt = handshakeAgoMs === undefined ? undefined : NOW - handshakeAgoMs;
  return { publicKey: 'A', port: 51820, peers: [{ publicKey: 'B', endpoint, handshakeAt, ...traffic }] };
}

const endpointSet = (wanted: TunnelPeer, state: TunnelState): string | undefined =>
  planTunnel(network(wanted), state, 'A', NOW).set[0]?.endpoint;

describe('the tunnels', () => {
  it('are made from nothing, and removed when a member is gone', () => {
    const plan = planTunnel(network(peer()), EMPTY, 'A', NOW);
    expect(plan).toEqual({
      setKey: true,
      setPort: true,
      remove: [],
      set: [{ publicKey: 'B', allowedIps: '100.64.2.0/24', endpoint: '192.0.2.2:51820', keepaliveSeconds: 25 }],
    });
    expect(planTunnel(network(), afterPlan(EMPTY, plan, { publicKey: 'A', port: 51820 }), 'A', NOW).remove).toEqual([
      'B',
    ]);
  });

  it('keep an endpoint that was learned, as long as the session lives', () => {
    expect(endpointSet(peer(), stateWith('203.0.113.9:4711', 60_000))).toBeUndefined();
    expect(endpointSet(peer(), stateWith('203.0.113.9:4711', HANDSHAKE_FRESH_MS))).toBe('192.0.2.2:51820');
    expect(endpointSet(peer(), stateWith('203.0.113.9:4711', undefined))).toBe('192.0.2.2:51820');
    expect(endpointSet(peer({ endpoint: undefined }), stateWith('203.0.113.9:4711', undefined))).toBeUndefined();
  });

  it('go over to the relay and back at once, also with a living session', () => {
    const relayed = peer({ path: 'relay', endpoint: '127.0.0.1:40000' });
    expect(endpointSet(relayed, stateWith('192.0.2.2:51820', 1_000))).toBe('127.0.0.1:40000');
    expect(endpointSet(relayed, stateWith('127.0.0.1:39999', 1_000))).toBe('127.0.0.1:40000');
    expect(endpointSet(peer(), stateWith('127.0.0.1:40000', 1_000))).toBe('192.0.2.2:51820');
  });

  it('need nothing more when they were made, in whatever order the members come', () => {
    const peers = fc.uniqueArray(
      fc.record({
        publicKey: fc.constantFrom('B', 'C', 'D', 'E'),
        prefix: fc.constantFrom('100.64.2.0/24', '100.64.3.0/24', '100.64.4.0/25'),
        path: fc.constantFrom('udp' as const, 'relay' as const),
        endpoint: fc.constantFrom(undefined, '192.0.2.2:51820', '127.0.0.1:5000'),
      }),
      { selector: (one) => one.publicKey },
    );
    fc.assert(
      fc.property(peers, peers, (before, wanted) => {
        const link = { publicKey: 'A', port: 51820 };
        const first = afterPlan(EMPTY, planTunnel(network(...before), EMPTY, 'A', NOW), link);
        const plan = planTunnel(network(...wanted), first, 'A', NOW);
        expect(planTunnel(network(...[...wanted].reverse()), first, 'A', NOW)).toEqual(plan);
        expect(isNothing(planTunnel(network(...wanted), afterPlan(first, plan, link), 'A', NOW))).toBe(true);
      }),
    );
  });

  it('are read as wg shows them', () => {
    const dump =
      'PRIV\tA=\t51820\toff\nB=\t(none)\t192.0.2.2:51820\t100.64.2.0/24\t1700000000\t10\t20\t25\nC=\t(none)\t(none)\t(none)\t0\t0\t0\toff\n';
    expect(parseTunnelState(dump)).toEqual({
      publicKey: 'A=',
      port: 51820,
      peers: [
        {
          publicKey: 'B=',
          endpoint: '192.0.2.2:51820',
          allowedIps: ['100.64.2.0/24'],
          handshakeAt: 1_700_000_000_000,
          receivedBytes: 10,
          sentBytes: 20,
          keepaliveSeconds: 25,
        },
        {
          publicKey: 'C=',
          endpoint: undefined,
          allowedIps: [],
          handshakeAt: undefined,
          receivedBytes: 0,
          sentBytes: 0,
          keepaliveSeconds: 0,
        },
      ],
    });
    expect(parseTunnelState('(none)\t(none)\t0\toff\n')).toEqual({ publicKey: undefined, port: undefined, peers: [] });
  });
});
