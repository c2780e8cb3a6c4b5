import { describe, expect, it } from 'vitest';
import { isSocketAddress, type NodeNetwork, parseNodeNetworkRequest } from '../../../src/core/network/node-network.ts';

const KEY = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const network: NodeNetwork = {
  privateKey: KEY,
  port: 51820,
  probePort: 7445,
  podCidr: '10.244.0.0/24',
  prefix: '100.64.7.0/24',
  reachable: ['10.244.0.5'],
  serviceCidrs: ['10.96.0.0/12'],
  peers: [{ publicKey: KEY, prefix: '100.64.2.0/24', path: 'udp', endpoint: '192.0.2.2:51820' }],
};
const [peer] = network.peers;

const apply = (overrides: object) => () =>
  parseNodeNetworkRequest(JSON.stringify({ type: 'apply', network: { ...network, ...overrides } }));

describe('what the agent asks of the network part', () => {
  it('is taken when it is complete', () => {
    expect(apply({})()).toEqual({ type: 'apply', network });
    expect(parseNodeNetworkRequest('{"type":"remove"}')).toEqual({ type: 'remove' });
  });

  it.each([
    ['a key that is none', { privateKey: 'x; reboot' }],
    ['a port that is none', { port: '51820 drop' }],
    ['the port of the probes as the port', { probePort: 51820 }],
    ['networks of two sizes', { prefix: '100.64.0.0/16' }],
    ['a prefix with a rule in it', { prefix: '100.64.7.0/24 } ; flush ruleset' }],
    ['a reachable address that is none', { reachable: ['10.244.0.5 }'] }],
    ['a network of Services that is none', { serviceCidrs: ['10.96.0.0/12 }'] }],
    ['a peer key that is none', { peers: [{ ...peer, publicKey: '-' }] }],
    ['an endpoint that is a name', { peers: [{ ...peer, endpoint: 'example.org:51820' }] }],
    ['a path that is none', { peers: [{ ...peer, path: 'tcp' }] }],
  ])('is refused with %s', (_what, overrides) => {
    expect(apply(overrides)).toThrow();
  });

  it('names endpoints by address', () => {
    expect(isSocketAddress('[2001:db8::1]:51820')).toBe(true);
    expect(isSocketAddress('2001:db8::1:51820')).toBe(false);
    expect(isSocketAddress('192.0.2.1:99999')).toBe(false);
    expect(isSocketAddress('999.0.2.1:51820')).toBe(false);
  });
});
