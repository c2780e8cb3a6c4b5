import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../../src/core/kube-objects.ts';
import { computeOffer, fits, freeNow, usageOf } from '../../../src/core/offer/compute-offer.ts';
import { amountsFrom } from '../../../src/core/quantities/resources.ts';

const ready = [{ type: 'Ready', status: 'True' as const }];
const allocatable = { cpu: '4', memory: '8Gi', pods: '110' };
const real: Node = { metadata: { name: 'a' }, status: { allocatable, capacity: allocatable, conditions: ready } };
const virtual: Node = {
  metadata: { name: 'headcut-b', labels: { 'headcut.dev/peer': 'b' } },
  status: { allocatable, conditions: ready },
};

const pod = (cpu: string, nodeName: string, origin?: string): Pod => ({
  metadata: { name: 'p', ...(origin === undefined ? {} : { labels: { 'headcut.dev/origin-cluster': origin } }) },
  spec: { nodeName, containers: [{ name: 'c', resources: { requests: { cpu } } }] },
});

const nodes = [real, virtual];
const pods = [pod('1', 'a'), pod('500m', 'a', 'b'), pod('250m', 'a', 'c'), pod('3', 'headcut-b')];

describe('an offer', () => {
  test("is what is allocatable less everybody else's pods, the peer's own left in", () => {
    const offer = computeOffer(nodes, usageOf(pods, nodes), { peerId: 'b', reserve: amountsFrom({ cpu: '100m' }) });
    expect(offer.allocatable).toEqual({ cpu: '2650m', memory: '8388608Ki', pods: '108' });
  });

  test('is nothing while no node can take pods', () => {
    const down: Node = { ...real, spec: { unschedulable: true } };
    expect(computeOffer([down], [], { peerId: 'b', reserve: {} })).toMatchObject({ accepting: false, allocatable: {} });
  });

  test('is closed, not down, while the node is Ready and takes no pods; it says why', () => {
    const taint = { key: 'node.kubernetes.io/memory-pressure', effect: 'NoSchedule' as const };
    const pressed: Node = { ...real, spec: { taints: [taint] } };
    expect(computeOffer([pressed], [], { peerId: 'b', reserve: {} })).toMatchObject({
      accepting: false,
      running: true,
      reason: expect.stringContaining('memory-pressure'),
    });
    const dead: Node = { ...real, status: { conditions: [] } };
    expect(computeOffer([dead], [], { peerId: 'b', reserve: {} })).toMatchObject({ accepting: false, running: false });
  });
});

test('a pod that does not fit is refused with the reason of a kubelet', () => {
  const free = freeNow(nodes, usageOf(pods, nodes), {});
  expect(fits(amountsFrom({ cpu: '2' }), free)).toEqual({ ok: true });
  expect(fits(amountsFrom({ cpu: '3' }), free)).toMatchObject({ ok: false, reason: 'OutOfcpu' });
});

describe('the number of pods in an offer', () => {
  const share = amountsFrom({ memory: '256Mi', cpu: '1' });
  const offered = (memory: string, own = 0): string | undefined => {
    const node: Node = { ...real, status: { ...real.status, allocatable: { ...allocatable, memory } } };
    const guest: Pod = {
      metadata: { name: 'g', labels: { 'headcut.dev/origin-cluster': 'b' } },
      spec: { nodeName: 'a', containers: [{ name: 'c', resources: { requests: { memory: '256Mi' } } }] },
    };
    const usage = usageOf(Array(own).fill(guest), [node]);
    return computeOffer([node], usage, { peerId: 'b', reserve: {}, guestShare: share }).allocatable.pods;
  };

  test('is that of the node, as long as many more fit that ask for nothing', () => {
    expect(offered('8Gi')).toBe('110');
    expect(offered('32Gi', 90)).toBe('110');
  });

  test('is no more than there are shares for towards the end, those that run included', () => {
    expect(offered('1Gi')).toBe('4');
    expect(offered('1Gi', 3)).toBe('4');
    expect(offered('1Gi', 4)).toBe('4');
    expect(offered('100Mi')).toBe('0');
  });
});
