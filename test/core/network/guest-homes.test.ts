import { describe, expect, test } from 'vitest';
import type { Pod } from '../../../src/core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../../../src/core/labels.ts';
import {
  type GuestHome,
  guestHomes,
  type HomesObservation,
  parseGuestHomes,
  toHereAddress,
  toHomeAddress,
} from '../../../src/core/network/guest-homes.ts';
import type { NetworkClaim } from '../../../src/core/network/network-claim.ts';
import { parsePrefix } from '../../../src/core/network/prefix.ts';
import { NETWORK_PATHS } from '../../../src/wire/beside-paths.ts';

const claim = (podCidr: string, prefix: string): NetworkClaim => ({
  publicKey: 'K',
  port: 1,
  podCidr,
  prefix,
  since: 1,
});
const CLAIMS = new Map([
  ['red', claim('10.42.0.0/24', '100.64.1.0/24')],
  ['blue', claim('10.244.0.0/24', '100.64.2.0/24')],
]);
const WEB = { home: '10.43.0.7', here: '10.96.0.9', empty: false };

function pod(podIP: string, member?: string, more: { namespace?: string; phase?: string; spec?: object } = {}): Pod {
  const { namespace = `of-${member}`, phase = 'Running', spec = {} } = more;
  return {
    metadata: { name: podIP, namespace, labels: member === undefined ? {} : { [ORIGIN_CLUSTER_LABEL]: member } },
    spec: { containers: [], nodeName: 'b', ...spec },
    status: { phase, podIP },
  } as Pod;
}

const homesOf = (pods: Pod[], more: Partial<HomesObservation> = {}): Map<string, GuestHome> =>
  guestHomes({
    pods,
    podCidr: parsePrefix('10.244.0.0/24'),
    isHere: (node) => node === 'b',
    twinOf: (namespace) => /^of-(.*)/.exec(namespace)?.[1],
    claimOf: (member) => CLAIMS.get(member),
    servicesOf: (member) => (member === 'red' ? [WEB] : []),
    ...more,
  });

describe('the homes of the pods here', () => {
  test('are those of all members that have some, with their networks and Services', () => {
    const homes = homesOf([
      pod('10.244.0.9', 'red'),
      pod('10.244.0.8', 'red'),
      pod('10.244.0.7', 'blue'),
      pod('10.244.0.6'),
    ]);
    expect([...homes]).toEqual([
      ['blue', { guests: ['10.244.0.7'], podCidr: '10.244.0.0/24', prefix: '100.64.2.0/24', services: [] }],
      [
        'red',
        { guests: ['10.244.0.8', '10.244.0.9'], podCidr: '10.42.0.0/24', prefix: '100.64.1.0/24', services: [WEB] },
      ],
    ]);
  });

  test('have no pods that have ended, run elsewhere, or only say that they are theirs', () => {
    const homes = homesOf([
      pod('10.244.0.9', 'red', { phase: 'Succeeded' }),
      pod('100.64.1.9', 'red'),
      pod('10.244.0.8', 'red', { spec: { nodeName: 'headcut-c' } }),
      pod('10.244.0.7', 'red', { spec: { hostNetwork: true } }),
      pod('10.244.0.6', 'red', { namespace: 'of-blue' }),
    ]);
    expect([...homes]).toEqual([]);
  });

  test('do not share an address that two of them show', () => {
    const homes = homesOf([pod('10.244.0.9', 'red'), pod('10.244.0.9', 'blue'), pod('10.244.0.8', 'blue')]);
    expect([...homes].map(([member, { guests }]) => [member, guests])).toEqual([['blue', ['10.244.0.8']]]);
  });

  test('fit into what the node takes, however much a member has, and of one with little nothing is missing', () => {
    const large = ['grey', 'lime', 'pink', 'teal'];
    const address = (network: string, index: number): string => `${network}.${index >> 8}.${index & 255}`;
    const pods = large.flatMap((member, of) =>
      Array.from({ length: 2_000 }, (_, index) => pod(address('10.244', of * 2_000 + index), member)),
    );
    const services = Array.from({ length: 5_000 }, (_, index) => ({ ...WEB, home: address('10.43', index) }));
    const homes = homesOf([...pods, pod('10.244.99.9', 'red')], {
      podCidr: parsePrefix('10.244.0.0/16'),
      claimOf: () => CLAIMS.get('red'),
      servicesOf: (member) => (member === 'red' ? [WEB] : services),
    });
    expect(homes.get('red')).toMatchObject({ guests: ['10.244.99.9'], services: [WEB] });
    const asked = [...homes.values()];
    expect(parseGuestHomes(asked)).toEqual(asked);
    // Of all that is asked at once, peers are told too.
    expect(JSON.stringify(asked).length).toBeLessThan(0.7 * NETWORK_PATHS.network.bodyBytes);
    for (const member of large) {
      expect([999, 1_000]).toContain(homes.get(member)?.guests.length);
      expect([1_999, 2_000]).toContain(homes.get(member)?.services.length);
    }
    expect(homesOf([pod('10.244.0.9', 'red')], { servicesOf: () => services }).get('red')?.services).toHaveLength(
      4_000,
    );
  });

  test('are not more than the node takes', () => {
    const members = Array.from({ length: 1_100 }, (_, index) => `m${index}`);
    const homes = homesOf(
      members.map((member, index) => pod(`10.244.${index >> 8}.${index & 255}`, member)),
      { podCidr: parsePrefix('10.244.0.0/16'), claimOf: () => CLAIMS.get('red') },
    );
    expect(() => parseGuestHomes([...homes.values()])).not.toThrow();
    expect(homes.size).toBe(1_000);
  });

  test('are not known of members without a part in the pod network', () => {
    expect([...homesOf([pod('10.244.0.9', 'grey')])]).toEqual([]);
  });
});

describe('an address', () => {
  const [home] = homesOf([pod('10.244.0.9', 'red')]).values();
  const addressing = { home: home as GuestHome, own: { podCidr: '10.244.0.0/24', prefix: '100.64.7.0/24' } };

  test.each([
    ['of a pod at home is the one it has there', '100.64.1.5', '10.42.0.5'],
    ['of a pod here is the one by which all members reach it', '10.244.0.9', '100.64.7.9'],
    ['of a Service is the one it has there', '10.96.0.9', '10.43.0.7'],
    ['of a pod on a third member is the same', '100.64.3.5', '100.64.3.5'],
    ['outside is the same', '192.0.2.1', '192.0.2.1'],
  ])('%s', (_what, here, there) => {
    expect(toHomeAddress(here, addressing)).toBe(there);
    expect(toHereAddress(there, addressing)).toBe(here);
  });

  test.each([
    ['of a Service at home', '10.96.0.9', '10.43.0.7'],
    ['of a pod at home', '100.64.1.5', '10.42.0.5'],
  ])('%s is not told where guests do not reach it by that', (_what, here, there) => {
    const local = { ...addressing, local: ['10.42.0.0/15'] };
    expect(toHomeAddress(here, local)).toBe(here);
    expect(toHereAddress(there, local)).toBe(there);
  });

  test('of a pod here is its image whatever is open to guests', () => {
    const local = { ...addressing, local: ['100.64.0.0/10'] };
    expect(toHomeAddress('10.244.0.9', local)).toBe('100.64.7.9');
    expect(toHereAddress('100.64.7.9', local)).toBe('10.244.0.9');
  });

  test('of a pod is the same where guests are bridged', () => {
    for (const address of ['100.64.1.5', '10.244.0.9'])
      expect(toHomeAddress(address, { ...addressing, bridged: true })).toBe(address);
    expect(toHomeAddress('10.96.0.9', { ...addressing, bridged: true })).toBe('10.43.0.7');
  });
});
