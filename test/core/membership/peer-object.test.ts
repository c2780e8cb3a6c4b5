import { describe, expect, it } from 'vitest';
import {
  type PeerObject,
  planFederationStatus,
  planPeerStatus,
  toMemberName,
} from '../../../src/core/membership/peer-object.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';

const record: PeerRecord = {
  id: 'x',
  name: 'b',
  endpoints: ['192.0.2.2:7443'],
  certificate: '',
  incarnation: 1,
  protocol: 1,
  signature: '',
};
const peer: PeerObject = { metadata: { name: 'b', generation: 3 }, spec: record };
const T1 = '2026-01-01T00:00:01Z';
const T2 = '2026-01-01T00:00:02Z';
const contact = (state: string) => ({ state, offer: undefined, problem: undefined });

describe('planPeerStatus', () => {
  it('is written once for each state, and not again while it stays', () => {
    const status = planPeerStatus(peer, contact('Connected'), T1);
    expect(status).toMatchObject({ state: 'Connected', observedGeneration: 3, lastSeen: null });
    expect(planPeerStatus({ ...peer, status: status ?? {} }, contact('Connected'), T2)).toBeUndefined();
  });

  it('says since when and why a peer is not connected', () => {
    const connected = planPeerStatus(peer, contact('Connected'), T1) ?? {};
    const lost = planPeerStatus({ ...peer, status: connected }, { ...contact('Unreachable'), problem: 'refused' }, T2);
    expect(lost).toMatchObject({
      state: 'Unreachable',
      lastSeen: T2,
      conditions: [{ type: 'Connected', status: 'False', message: 'refused', lastTransitionTime: T2 }],
    });
  });

  it('tells the first offer, but writes nothing for later ones', () => {
    const offer = { capacity: {}, allocatable: { cpu: '2' }, nodeInfo: {}, labels: {}, accepting: true };
    const status = planPeerStatus(peer, contact('Connected'), T1) ?? {};
    const withOffer = planPeerStatus({ ...peer, status }, { ...contact('Connected'), offer }, T2);
    expect(withOffer).toMatchObject({ offer: { accepting: true, allocatable: { cpu: '2' } } });
    expect(withOffer?.conditions?.[0]?.lastTransitionTime).toBe(T1);
    const smaller = { ...offer, allocatable: { cpu: '1' } };
    const after = { ...peer, status: withOffer ?? {} };
    expect(planPeerStatus(after, { ...contact('Connected'), offer: smaller }, T2)).toBeUndefined();
  });
});

describe('planFederationStatus', () => {
  it('counts members by state and is not written again when it says so already', () => {
    const federation = { metadata: { name: 'headcut' } };
    const status = planFederationStatus(federation, record, ['Connected', 'Suspect', 'Unreachable', 'Connected']);
    expect(status?.peers).toEqual({ total: 4, connected: 2, unreachable: 1 });
    const again = planFederationStatus({ ...federation, status: status ?? {} }, record, [
      'Unreachable',
      'Connected',
      'Connected',
      'Suspect',
    ]);
    expect(again).toBeUndefined();
  });
});

describe('toMemberName', () => {
  it.each([
    ['Alpha.Site 1', 'alpha-site-1'],
    ['--x--', 'x'],
    ['...', 'cluster'],
    ['n'.repeat(80), 'n'.repeat(40)],
  ])('makes a DNS label of "%s"', (text, label) => {
    expect(toMemberName(text)).toBe(label);
  });
});
