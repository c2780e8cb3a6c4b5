import { describe, expect, it } from 'vitest';
import { NetworkState } from '../../../src/agent/network/network-state.ts';
import type { NetworkClaim } from '../../../src/core/network/network-claim.ts';

const own: NetworkClaim = { publicKey: 'A', port: 1, podCidr: '10.244.0.0/24', prefix: '100.64.1.0/24', since: 1 };
const peerClaim: NetworkClaim = { ...own, publicKey: 'B', prefix: '100.64.2.0/24' };

function state(path: 'UDP' | 'none' = 'UDP') {
  const made = new NetworkState({
    ownClaim: () => own,
    pathTo: () => (path === 'none' ? undefined : path),
    isPathSettled: () => true,
  });
  const told: string[] = [];
  made.onChange((id) => told.push(id));
  return { made, told };
}

function met(made: NetworkState): void {
  made.peers = new Map([['b', { claim: peerClaim }]]);
  made.report = {
    kind: 'kernel',
    mtu: 1420,
    peers: [{ publicKey: 'B', endpoint: undefined, handshakeAt: 1, receivedBytes: 0, sentBytes: 0 }],
  };
  made.settle();
}

describe('addresses', () => {
  it('of our own pods are mapped both ways, and no others', () => {
    const { made } = state();
    expect(made.toImage('10.244.0.7')).toBe('100.64.1.7');
    expect(made.toLocal('100.64.1.7')).toBe('10.244.0.7');
    expect(made.toImage('10.96.0.1')).toBeUndefined();
    expect(made.toLocal('100.64.2.7')).toBeUndefined();
  });

  it('of pods of peers are unknown at the start, so that what is shown stays', () => {
    expect(state().made.imageOf('b', '10.244.0.7')).toBeUndefined();
  });

  it('of pods of peers are shown when the tunnel has worked, and stay when it is down for a while', () => {
    const { made, told } = state();
    made.peers = new Map([['b', { claim: peerClaim }]]);
    made.settle();
    expect(made.imageOf('b', '10.244.0.7')).toBeUndefined();
    met(made);
    expect(made.imageOf('b', '10.244.0.7')).toBe('100.64.2.7');
    made.report = undefined;
    made.settle();
    expect(made.imageOf('b', '10.244.0.7')).toBe('100.64.2.7');
    expect(told).toEqual(['', 'b', 'b']);
  });

  it('that a peer makes up are not shown', () => {
    const { made } = state();
    met(made);
    expect(made.imageOf('b', '10.96.0.1')).toBeNull();
  });

  it('are taken away when the network is off here or there', () => {
    const { made, told } = state();
    met(made);
    made.peers = new Map([['b', { refused: { reason: 'NoClaim', message: '' } }]]);
    made.settle();
    expect(made.imageOf('b', '10.244.0.7')).toBeNull();
    expect(told.at(-1)).toBe('b');
    made.refused = { reason: 'Disabled', message: '' };
    expect(made.toImage('10.244.0.7')).toBeUndefined();
    expect(made.imageOf('c', '10.244.0.7')).toBeNull();
  });
});

describe('what is shown', () => {
  it('waits for the first look, unless that fails', () => {
    const { made } = state();
    expect(made.ownView()).toBeUndefined();
    expect(made.peerView('b')).toBeUndefined();
    made.failure = 'no tunnels';
    expect(made.ownView()).toMatchObject({ ready: false, problem: { reason: 'NodeNetworkFailed' } });
  });

  it('names the way to a peer, or that there is none', () => {
    const udp = state('UDP').made;
    met(udp);
    expect(udp.peerView('b')).toEqual({ ready: true, prefix: '100.64.2.0/24', path: 'UDP' });
    const none = state('none').made;
    met(none);
    expect(none.peerView('b')).toMatchObject({ ready: false, problem: { reason: 'NoWay' } });
  });
});
