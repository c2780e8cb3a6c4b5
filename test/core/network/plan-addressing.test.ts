import { describe, expect, it } from 'vitest';
import type { NodeNetwork, TunnelPeer } from '../../../src/core/network/node-network.ts';
import { type Addressing, planAddressing } from '../../../src/core/network/plan-addressing.ts';

const BARE: Addressing = { mtu: 1500, up: false, addresses: [], routes: [] };

function network(...prefixes: string[]): NodeNetwork {
  const peers = prefixes.map((prefix): TunnelPeer => ({ publicKey: prefix, prefix, path: 'udp', endpoint: undefined }));
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

const commands = (wanted: NodeNetwork, actual: Addressing, mtus: (number | undefined)[] = [1500]): string[] =>
  planAddressing(wanted, actual, mtus).commands.map((words) => words.join(' '));

describe('addresses and routes of the link', () => {
  it('are made from nothing: the link first, the address before the routes that name it', () => {
    expect(commands(network('100.64.3.0/24', '100.64.2.0/24'), BARE)).toEqual([
      'link set dev headcut0 mtu 1420 up',
      'address add 100.64.1.0/32 dev headcut0',
      'route add 100.64.2.0/24 dev headcut0 src 100.64.1.0',
      'route add 100.64.3.0/24 dev headcut0 src 100.64.1.0',
    ]);
  });

  it('need nothing when they are as wanted', () => {
    const there = {
      mtu: 1420,
      up: true,
      addresses: ['100.64.1.0/32'],
      routes: [{ to: '100.64.2.0/24', from: '100.64.1.0' }],
    };
    expect(commands(network('100.64.2.0/24'), there)).toEqual([]);
  });

  it('follow a new prefix of our own and the going of a member', () => {
    const before = {
      mtu: 1420,
      up: true,
      addresses: ['100.64.9.0/32'],
      routes: [
        { to: '100.64.2.0/24', from: '100.64.9.0' },
        { to: '100.64.3.0/24', from: '100.64.9.0' },
      ],
    };
    expect(commands(network('100.64.2.0/24'), before)).toEqual([
      'address add 100.64.1.0/32 dev headcut0',
      'route delete 100.64.2.0/24 dev headcut0',
      'route delete 100.64.3.0/24 dev headcut0',
      'route add 100.64.2.0/24 dev headcut0 src 100.64.1.0',
      'address delete 100.64.9.0/32 dev headcut0',
    ]);
  });

  it.each([
    [[1500], 1420],
    [[1500, 1450], 1370],
    [[9000], 8920],
    [[undefined, 1500], 1420],
    [[], 1420],
    [[576], 1280],
  ])('fit the tunnel into what the ways to members take: %j → %i', (mtus, expected) => {
    expect(planAddressing(network(), BARE, mtus).mtu).toBe(expected);
  });
});
