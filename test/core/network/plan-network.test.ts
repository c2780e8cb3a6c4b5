import { describe, expect, it } from 'vitest';
import type { Node } from '../../../src/core/kube-objects.ts';
import { PEER_LABEL } from '../../../src/core/labels.ts';
import type { FederationObject, PeerObject } from '../../../src/core/membership/peer-object.ts';
import type { NetworkClaim } from '../../../src/core/network/network-claim.ts';
import { planOwnNetworkStatus, planPeerNetworkStatus } from '../../../src/core/network/network-status.ts';
import {
  findPodCidr,
  networkSettings,
  planPeerNetworks,
  problemOfRange,
} from '../../../src/core/network/plan-network.ts';

const node = (name: string, spec: Record<string, unknown>, labels: Record<string, string> = {}): Node => ({
  metadata: { name, labels },
  spec,
});

const claim = (prefix: string, since = 1): NetworkClaim => ({
  publicKey: prefix,
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
    });
    expect(networkSettings({ network: { enabled: false, port: 4000 } })).toMatchObject({ enabled: false, port: 4000 });
  });
});

describe('the networks of the other members', () => {
  const own = { id: 'own', claim: claim('100.64.1.0/24', 5) };
  const plan = (...members: { id: string; network?: NetworkClaim }[]) =>
    planPeerNetworks(own, members, '100.64.0.0/10');
  const reason = (map: ReturnType<typeof plan>, id: string): string | undefined => {
    const found = map.get(id);
    return found !== undefined && 'refused' in found ? found.refused.reason : undefined;
  };

  it('are used when their claims stand', () => {
    expect(plan({ id: 'b', network: claim('100.64.2.0/24') }).get('b')).toEqual({ claim: claim('100.64.2.0/24') });
  });

  it('are left alone, each with its reason, otherwise', () => {
    const map = plan(
      { id: 'none' },
      { id: 'foreign', network: claim('10.96.0.0/24') },
      { id: 'broken', network: { ...claim('100.64.2.0/24'), podCidr: 'no' } },
      { id: 'older', network: claim('100.64.3.0/24', 1) },
      { id: 'younger', network: claim('100.64.3.0/24', 2) },
      { id: 'ours', network: claim('100.64.1.0/24', 9) },
    );
    expect([...map.keys()].map((id) => [id, reason(map, id)])).toEqual([
      ['none', 'NoClaim'],
      ['foreign', 'OtherRange'],
      ['broken', 'InvalidClaim'],
      ['older', undefined],
      ['younger', 'Clash'],
      ['ours', 'Clash'],
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
