import { describe, expect, it } from 'vitest';
import {
  isSocketAddress,
  type NodeNetwork,
  parseNetworkRange,
  parseNodeNetwork,
} from '../../../src/core/network/node-network.ts';
import { createWireGuardKeys } from '../../../src/core/network/wireguard-key.ts';

const [own, first, second] = [1, 2, 3].map(() => createWireGuardKeys());
const network: NodeNetwork = {
  privateKey: own?.privateKey ?? '',
  port: 51820,
  probePort: 7445,
  podCidr: '10.244.0.0/24',
  prefix: '100.64.7.0/24',
  reachable: ['10.244.0.5'],
  serviceCidrs: ['10.96.0.0/12'],
  homes: [
    {
      guests: ['10.244.0.5'],
      podCidr: '10.42.0.0/24',
      prefix: '100.64.2.0/24',
      services: [{ home: '10.43.0.7', here: '10.96.0.9', empty: false }],
    },
  ],
  local: ['10.96.0.8/32'],
  peers: [{ publicKey: first?.publicKey ?? '', prefix: '100.64.2.0/24', path: 'udp', endpoint: '192.0.2.2:51820' }],
};
const [peer] = network.peers;
const [home] = network.homes ?? [];
const other = { ...peer, publicKey: second?.publicKey, prefix: '100.64.3.0/24' };

const parse = (overrides: object) => parseNodeNetwork(JSON.parse(JSON.stringify({ ...network, ...overrides })));

describe('what the agent asks of the network part', () => {
  it('is taken when it is complete', () => {
    expect(parse({})).toEqual({ network, problems: [] });
    expect(parseNetworkRange('100.64.0.0/10')).toBe('100.64.0.0/10');
    expect(() => parseNetworkRange('100.64.0.0/10 }')).toThrow();
  });

  it.each([
    ['a key that is none', { privateKey: 'x; reboot' }],
    ['a port that is none', { port: '51820 drop' }],
    ['the port of the probes as the port', { probePort: 51820 }],
    ['networks of two sizes', { prefix: '100.64.0.0/16' }],
    ['a prefix with a rule in it', { prefix: '100.64.7.0/24 } ; flush ruleset' }],
    ['a prefix with leading zeros', { prefix: '100.064.7.0/24' }],
    ['a reachable address that is none', { reachable: ['10.244.0.5 }'] }],
    ['a network of Services that is none', { serviceCidrs: ['10.96.0.0/12 }'] }],
    ['a home of another size', { homes: [{ ...home, prefix: '100.64.0.0/16' }] }],
    ['a guest of two homes', { homes: [home, home] }],
    ['a guest with a rule in it', { homes: [{ ...home, guests: ['10.244.0.5 } accept'] }] }],
    [
      'a Service with a rule in it',
      { homes: [{ ...home, services: [{ home: '10.43.0.7', here: 'x }', empty: true }] }] },
    ],
    [
      'one address of two Services',
      { homes: [{ ...home, services: [...(home?.services ?? []), ...(home?.services ?? [])] }] },
    ],
    ['a network of its own that is none', { local: ['10.96.0.8/32 }'] }],
    ['peers that are no list', { peers: { length: 1 } }],
  ])('is refused with %s', (_what, overrides) => {
    expect(() => parse(overrides)).toThrow();
  });

  it.each([
    ['a key that is none', { ...other, publicKey: '-' }],
    ['a key of zeros', { ...other, publicKey: Buffer.alloc(32).toString('base64') }],
    ["another peer's key", { ...other, publicKey: peer?.publicKey }],
    ['our own key', { ...other, publicKey: own?.publicKey }],
    ["another peer's prefix", { ...other, prefix: '100.64.2.0/25' }],
    ['our own prefix', { ...other, prefix: '100.64.7.0/24' }],
    ['our own pod network', { ...other, prefix: '10.244.0.0/24' }],
    ['a prefix with leading zeros', { ...other, prefix: '100.064.5.0/24' }],
    ['an option for a prefix', { ...other, prefix: '-batch' }],
    ['an endpoint that is a name', { ...other, endpoint: 'example.org:51820' }],
    ['a path that is none', { ...other, path: 'tcp' }],
    ['no fields at all', null],
  ])('leaves out a peer with %s, by name, and takes all others', (_what, spoiled) => {
    const { network: taken, problems } = parse({ peers: [peer, spoiled] }) as ReturnType<typeof parse> & {
      type: 'apply';
    };
    expect(taken).toEqual(network);
    expect(problems).toMatchObject([{ reason: 'InvalidEntry' }]);
  });

  it('names endpoints by address', () => {
    expect(isSocketAddress('[2001:db8::1]:51820')).toBe(true);
    expect(isSocketAddress('2001:db8::1:51820')).toBe(false);
    expect(isSocketAddress('192.0.2.1:99999')).toBe(false);
    expect(isSocketAddress('999.0.2.1:51820')).toBe(false);
  });
});
