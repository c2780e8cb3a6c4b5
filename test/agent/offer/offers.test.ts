import { expect, test } from 'vitest';
import { Offers } from '../../../src/agent/offer/offers.ts';
import type { PeerLinks } from '../../../src/agent/ports.ts';
import type { Node, Pod } from '../../../src/core/kube-objects.ts';
import type { FederationObject } from '../../../src/core/membership/peer-object.ts';
import type { PeerUse } from '../../../src/core/offer/peer-terms.ts';
import { systemClock as clock } from '../../../src/runtime/clock.ts';
import { FakeStore } from '../../fake-store.ts';

const room = { cpu: '4', memory: '8Gi', pods: '100' };
const node: Node = {
  metadata: { name: 'b' },
  spec: {},
  status: { allocatable: room, conditions: [{ type: 'Ready', status: 'True' }] },
};
const pod = (cpu: string): Pod => ({
  metadata: { name: 'web', uid: 'same' },
  spec: { containers: [{ name: 'c', resources: { requests: { cpu } } }] },
});

const nobody = { list: () => [], onChange: () => {} } as Pick<PeerLinks, 'list' | 'onChange'>;

function start(terms: Partial<PeerUse> = {}, links = nobody): Offers {
  return new Offers({
    use: (peerId) => ({ use: 'Allowed', sharePercent: 100, limits: {}, ...(peerId === 'a' ? terms : {}) }),
    pods: new FakeStore<Pod>(),
    nodes: new FakeStore<Node>([node]),
    links,
    reserve: () => ({}),
    guestShare: () => ({}),
    maintenance: () => false,
    federations: new FakeStore<FederationObject>(),
    clock,
  });
}

test('room is held for each of two pods of two members, whatever UIDs they say', () => {
  const offers = start();
  expect(offers.reserve('same', pod('3'), 'a')).toEqual({ ok: true });
  expect(offers.reserve('same', pod('3'), 'c')).toMatchObject({ ok: false });
  offers.release('same', 'c');
  expect(offers.reserve('same', pod('3'), 'c')).toMatchObject({ ok: false });
  offers.release('same', 'a');
  expect(offers.reserve('same', pod('3'), 'c')).toEqual({ ok: true });
});

test('room that is held for a pod is not there for a larger one of its UID', () => {
  const offers = start();
  expect(offers.reserve('same', pod('1'), 'a')).toEqual({ ok: true });
  expect(offers.reserve('same', pod('1'), 'a')).toEqual({ ok: true });
  expect(offers.reserve('same', pod('100'), 'a')).toMatchObject({ ok: false });
});

test('a pod is refused that asks for more than its member may use, and those of other members are not', () => {
  const offers = start({ limits: { cpu: '2' } });
  expect(offers.reserve('one', pod('1500m'), 'a')).toEqual({ ok: true });
  expect(offers.reserve('two', pod('1'), 'a')).toMatchObject({ ok: false, reason: 'OutOfcpu' });
  expect(offers.reserve('two', pod('500m'), 'a')).toEqual({ ok: true });
  expect(offers.reserve('three', pod('2'), 'c')).toEqual({ ok: true });
});

test('no pod is taken of a member that may use nothing', () => {
  const offers = start({ closed: 'its terms' });
  expect(offers.reserve('one', pod('1'), 'a')).toMatchObject({ ok: false, reason: 'PeerClosed' });
  expect(offers.reserve('one', pod('1'), 'c')).toEqual({ ok: true });
});

test('a peer that asks is told its offer as it is at this moment', async () => {
  const links = { list: () => [{ id: 'a' }], onChange: () => {} } as unknown as Pick<PeerLinks, 'list' | 'onChange'>;
  const offers = start({}, links);
  const ask = async () =>
    (
      await offers.calls.freshOffer({
        peerId: 'a',
        params: undefined,
        query: undefined,
        body: undefined,
        signal: AbortSignal.any([]),
      })
    ).offer;
  expect((await ask())?.allocatable.cpu).toBe('4');
  offers.reserve('one', pod('3'), 'c');
  expect((await ask())?.allocatable.cpu).toBe('1');
});
