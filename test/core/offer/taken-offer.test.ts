import { expect, test } from 'vitest';
import type { Offer } from '../../../src/core/exchange/offer.ts';
import { takenOffer } from '../../../src/core/offer/taken-offer.ts';
import { isPlain } from '../../../src/core/plain-text.ts';

const offer = (more: Record<string, unknown>): Offer =>
  ({ capacity: {}, allocatable: {}, nodeInfo: {}, labels: {}, accepting: true, ...more }) as Offer;

test('of labels four names count, with values that labels can have', () => {
  const labels = {
    'kubernetes.io/arch': 'arm64',
    'topology.kubernetes.io/region': 'eu-1',
    'node.kubernetes.io/instance-type': 'x y',
    'kubernetes.io/os': 'l'.repeat(64),
    'node-restriction.kubernetes.io/trusted': 'true',
    'node-role.kubernetes.io/control-plane': '',
    disktype: 'ssd',
    'headcut.dev/peer': 'other',
  };
  expect(takenOffer(offer({ labels })).labels).toEqual({
    'kubernetes.io/arch': 'arm64',
    'topology.kubernetes.io/region': 'eu-1',
  });
  expect(takenOffer(offer({ nodeInfo: { architecture: 'a/b', operatingSystem: 'linux' } })).nodeInfo).toEqual({
    operatingSystem: 'linux',
  });
});

test('of resources those count that nodes can have, with amounts of their kind', () => {
  const allocatable = {
    cpu: '1900m',
    memory: '8Gi',
    pods: '1k',
    'hugepages-2Mi': '0',
    'example.com/gpu': '2',
    'example.com/half': '500m',
    'kubernetes.io/batch-cpu': '1',
    'requests.example.com/gpu': '1',
    'attachable-volumes-x': '1',
    __proto__x: '1',
    gpu: '1',
  };
  expect(takenOffer(offer({ allocatable })).allocatable).toEqual({
    cpu: '1900m',
    memory: '8Gi',
    pods: '1k',
    'hugepages-2Mi': '0',
    'example.com/gpu': '2',
  });
  for (const wrong of ['', ' 1', '-1', '1e', 'x', '1.5.5'])
    expect(takenOffer(offer({ capacity: { cpu: wrong, memory: '1' } })).capacity).toEqual({ memory: '1' });
});

test('there are no more resources than a node has', () => {
  const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`example.com/r${index}`, '1']));
  expect(Object.keys(takenOffer(offer({ capacity: many })).capacity)).toHaveLength(32);
});

test('texts are bounded and plain, and what is no text is none', () => {
  const info = { osImage: `\u001b[2J${'x'.repeat(5_000)}`, kernelVersion: {}, kubeletVersion: 'v1.36.3', other: 'y' };
  const taken = takenOffer(offer({ nodeInfo: info, reason: '\u001b'.repeat(5_000), running: 'yes', evacuate: 1 }));
  expect(taken.nodeInfo.kubeletVersion).toBe('v1.36.3');
  expect(Object.keys(taken.nodeInfo)).toEqual(['osImage', 'kubeletVersion']);
  expect(JSON.stringify(taken).length).toBeLessThan(2_000);
  expect(isPlain(`${taken.reason}${taken.nodeInfo.osImage}`)).toBe(true);
  expect(taken.running).toBeUndefined();
  expect(taken.evacuate).toBeUndefined();
});
