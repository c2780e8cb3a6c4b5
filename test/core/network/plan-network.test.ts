import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Node } from '../../../src/core/kube-objects.ts';
import { PEER_LABEL } from '../../../src/core/labels.ts';
import { planOwnNetworkStatus, planPeerNetworkStatus } from '../../../src/core/membership/network-status.ts';
import type { FederationObject, PeerObject } from '../../../src/core/membership/peer-object.ts';
import { NO_HOLDERS } from '../../../src/core/network/claim-holders.ts';
import type { NetworkClaim } from '../../../src/core/network/network-claim.ts';
import {
  claimLimits,
  findPodCidr,
  networkSettings,
  planPeerNetworks,
  problemOfRange,
  usedNetworks,
} from '../../../src/core/network/plan-network.ts';
import { formatPrefix, parsePrefix } from '../../../src/core/network/prefix.ts';

const node = (name: string, spec: Record<string, unknown>, labels: Record<string, string> = {}): Node => ({
  metadata: { name, labels },
  spec,
});

const keyOf = (text: string): string => createHash('sha256').update(text).digest().fill(0, 31).toString('base64');

const claim = (prefix: string, since = 1): NetworkClaim => ({
  publicKey: keyOf(prefix),
  port: 51820,
  podCidr: '10.244.0.0/24',
  prefix,
  since,
});

describe('the pod network of a cluster', () => {
  it('is that of its only real node', () => {
    const virtual = node('headcut-b', { podCIDR: '10.244.1.0/24' }, { [PEER_LABEL]: 'b' });
    expect(findPodCidr([virtual, node('a', { podCIDR: '10.244.0.0/24' })])).toEqual({ podCidr: '10.244.0.0/24' });
  });

  it('is the IPv4 one of two stacks', () => {
    expect(findPodCidr([node('a', { podCIDR: 'fd00::/64', podCIDRs: ['fd00::/64', '10.1.0.0/24'] })])).toEqual({
      podCidr: '10.1.0.0/24',
    });
  });

  it.each([
    ['NoNode', []],
    ['SeveralNodes', [node('a', { podCIDR: '10.1.0.0/24' }), node('b', { podCIDR: '10.1.1.0/24' })]],
    ['NoPodCidr', [node('a', {})]],
    ['NoPodCidr', [node('a', { podCIDR: 'fd00::/64' })]],
  ])('cannot take part: %s', (reason, nodes) => {
    expect(findPodCidr(nodes)).toMatchObject({ refused: { reason } });
  });

  it.each([
    ['100.64.0.0/10', '10.244.0.0/24', '192.168.1.5', undefined],
    ['10.0.0.0/8', '10.244.0.0/24', '192.168.1.5', 'RangeInUse'],
    ['100.64.0.0/10', '10.244.0.0/24', '100.70.1.5', 'RangeInUse'],
    ['100.64.0.0/10', '10.244.0.0/24', 'fd00::1', undefined],
  ])('images out of %s for %s on a node %s: %s', (range, podCidr, address, reason) => {
    const nodes = [{ ...node('a', {}), status: { addresses: [{ type: 'InternalIP', address }] } }];
    expect(problemOfRange(range, podCidr, nodes)?.reason).toBe(reason);
  });

  it('has settings, all with defaults', () => {
    expect(networkSettings(undefined)).toEqual({
      enabled: true,
      range: '100.64.0.0/10',
      port: 51820,
      reachable: 'Offloaded',
      largestClaim: 24,
      reserved: [],
      guestAccess: 'Internet',
      guestNetworks: [],
      insiders: [],
    });
    expect(networkSettings({ network: { enabled: false, port: 4000 } })).toMatchObject({ enabled: false, port: 4000 });
  });
});

describe('the networks of the other members', () => {
  const own = { id: 'own', claim: claim('100.64.1.0/24', 5) };
  const limits = { range: '100.64.0.0/10', largest: 24 };
  const plan = (
    members: { id: string; name?: string; network?: NetworkClaim }[],
    { holders = NO_HOLDERS, used = [] as string[], now = 1_000 } = {},
  ) => planPeerNetworks({ own, members, limits, used: used.map(parsePrefix), holders, now });
  const reasons = ({ peers }: ReturnType<typeof plan>) =>
    Object.fromEntries([...peers].map(([id, peer]) => [id, 'refused' in peer ? peer.refused.reason : 'stands']));

  it('are used when their claims stand', () => {
    const b = { id: 'b', network: claim('100.64.2.0/24') };
    expect(plan([b]).peers.get('b')).toEqual({ claim: b.network });
  });

  it('are left alone, each with its reason, otherwise', () => {
    const known = plan([{ id: 'known', network: claim('100.64.3.0/24', 9) }]).holders;
    const members = [
      { id: 'none' },
      { id: 'foreign', network: claim('10.96.0.0/24') },
      { id: 'broken', network: { ...claim('100.64.2.0/24'), podCidr: 'no' } },
      { id: 'zeros', network: claim('100.064.5.0/24') },
      { id: 'later', network: { ...claim('100.64.3.0/24', 0), publicKey: keyOf('later') } },
      { id: 'known', network: claim('100.64.3.0/24', 9) },
      { id: 'ours', network: { ...claim('100.64.1.0/24', 0), publicKey: keyOf('x') } },
      { id: 'our key', network: { ...claim('100.64.9.0/24'), publicKey: own.claim.publicKey } },
      { id: 'cloned', network: { ...claim('100.64.10.0/24'), publicKey: claim('100.64.3.0/24').publicKey } },
      { id: 'void', network: { ...claim('100.64.11.0/24'), publicKey: Buffer.alloc(32).toString('base64') } },
      { id: 'large', network: { ...claim('100.64.16.0/20'), podCidr: '10.244.0.0/20' } },
      { id: 'metadata', network: claim('100.100.100.0/24') },
      { id: 'fine', network: claim('100.64.12.0/24') },
    ];
    expect(reasons(plan(members, { holders: known, used: ['100.100.100.200/32'] }))).toEqual({
      none: 'NoClaim',
      foreign: 'OtherRange',
      broken: 'InvalidClaim',
      zeros: 'InvalidClaim',
      later: 'Clash',
      known: 'stands',
      ours: 'Clash',
      'our key': 'KeyTaken',
      cloned: 'KeyTaken',
      void: 'InvalidClaim',
      large: 'TooLarge',
      metadata: 'InUse',
      fine: 'stands',
    });
  });

  it('may be as large as the own pod network, or as the Federation allows', () => {
    const settings = networkSettings(undefined);
    expect(claimLimits(settings, '10.244.0.0/24')).toEqual({ range: '100.64.0.0/10', largest: 24 });
    expect(claimLimits(settings, '10.244.0.0/20').largest).toBe(20);
    expect(claimLimits({ ...settings, largestClaim: 18 }, '10.244.0.0/24').largest).toBe(18);
  });

  it('are refused by the name of the member that was there first', () => {
    const first = { id: 'a', name: 'alpha', network: claim('100.64.3.0/24', 9) };
    const { holders } = plan([first]);
    const later = { id: 'b', name: 'beta', network: { ...claim('100.64.3.0/24', 0), publicKey: keyOf('beta') } };
    expect(plan([later, first], { holders }).peers.get('b')).toMatchObject({
      refused: { reason: 'Clash', message: expect.stringContaining('alpha') },
    });
  });

  it('never meet what the node uses, whoever said so', () => {
    const used = usedNetworks({ reserved: ['100.70.0.0/16'] }, ['100.80.1.2/32', 'no'], ['100.96.0.0/12']);
    expect(used.map(formatPrefix)).toEqual([
      '100.100.2.0/24',
      '100.100.100.0/24',
      '100.70.0.0/16',
      '100.80.1.2/32',
      '100.96.0.0/12',
    ]);
  });
});

describe('the status of the pod network', () => {
  const peer = {
    metadata: { name: 'b' },
    spec: {},
    status: { conditions: [{ type: 'Connected', status: 'True' }] },
  } as unknown as PeerObject;

  it('is written once for each change, and leaves the conditions of others alone', () => {
    const view = { ready: true, prefix: '100.64.2.0/24', path: 'TLS' } as const;
    const first = planPeerNetworkStatus(peer, view, '2026-01-01T00:00:00Z');
    expect(first).toMatchObject({
      network: { path: 'TLS', prefix: '100.64.2.0/24' },
      conditions: [
        { type: 'Connected' },
        { type: 'NetworkReady', status: 'True', reason: 'TLS', lastTransitionTime: '2026-01-01T00:00:00Z' },
      ],
    });
    const shown = { ...peer, status: first } as unknown as PeerObject;
    expect(planPeerNetworkStatus(shown, view, '2026-01-02T00:00:00Z')).toBeUndefined();
    expect(planPeerNetworkStatus(shown, { ...view, path: 'UDP' }, '2026-01-02T00:00:00Z')).toMatchObject({
      conditions: [{}, { reason: 'UDP', lastTransitionTime: '2026-01-01T00:00:00Z' }],
    });
  });

  it('says why there is none', () => {
    const problem = { reason: 'Disabled', message: 'off' };
    const federation: FederationObject = { metadata: { name: 'headcut' } };
    const status = planOwnNetworkStatus(federation, { ready: false, problem }, '2026-01-01T00:00:00Z');
    expect(status).toMatchObject({ network: null, conditions: [{ status: 'False', reason: 'Disabled' }] });
    // What the API server makes of it: no null is kept.
    const shown = { ...federation, status: { conditions: status?.conditions } } as FederationObject;
    expect(planOwnNetworkStatus(shown, { ready: false, problem }, '2026-01-02T00:00:00Z')).toBeUndefined();
  });
});
