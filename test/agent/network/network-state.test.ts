import { describe, expect, it } from 'vitest';
import { NetworkState } from '../../../src/agent/network/network-state.ts';
import type { GuestHome } from '../../../src/core/network/guest-homes.ts';
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

describe('addresses as a guest knows them from its home', () => {
  const guest = { member: 'b', address: '10.244.0.9' };
  const home: GuestHome = {
    guests: [guest.address],
    podCidr: '10.42.0.0/24',
    prefix: '100.64.2.0/24',
    services: [
      { home: '10.43.0.7', here: '10.96.0.9', empty: false },
      { home: '172.20.0.7', here: '10.96.0.10', empty: false },
    ],
  };
  function applied(local: string[] = []): NetworkState {
    const { made } = state();
    made.homes = new Map([['b', home]]);
    made.local = local;
    return made;
  }

  it.each([
    ['10.96.0.9', '10.43.0.7'],
    ['100.64.2.5', '10.42.0.5'],
    ['10.244.0.5', '100.64.1.5'],
  ])('are told and understood: %s is %s', (here, there) => {
    expect(applied().toHome(guest, here)).toBe(there);
    expect(applied().toHere(guest, there)).toBe(here);
  });

  it.each([
    ['whose packets are not led by them yet', { ...guest, address: '10.244.0.8' }],
    ['whose address was last of another member', { ...guest, member: 'c' }],
  ])('are not told to one %s', (_which, other) => {
    expect(applied().toHome(other, '10.96.0.9')).toBe('10.96.0.9');
    expect(applied().toHere(other, '10.43.0.7')).toBe('10.43.0.7');
  });

  it('mean what they mean here within networks that are open to guests as they are here', () => {
    const made = applied(['10.43.0.0/16', '10.42.0.5/32']);
    expect(made.toHome(guest, '10.96.0.9')).toBe('10.96.0.9');
    expect(made.toHere(guest, '10.43.0.7')).toBe('10.43.0.7');
    expect(made.toHome(guest, '100.64.2.5')).toBe('100.64.2.5');
    expect(made.toHere(guest, '10.42.0.5')).toBe('10.42.0.5');
    // Others are told as before.
    expect(made.toHome(guest, '10.96.0.10')).toBe('172.20.0.7');
    expect(made.toHere(guest, '172.20.0.7')).toBe('10.96.0.10');
    expect(made.toHome(guest, '100.64.2.6')).toBe('10.42.0.6');
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
