import { describe, expect, test } from 'vitest';
import { OffloadedPodIndex } from '../../../src/agent/shadow-pod/offloaded-pod-index.ts';
import type { Pod } from '../../../src/core/kube-objects.ts';
import type { ShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { twinNamespaceName } from '../../../src/core/shadow-pod/twin-namespace.ts';
import { type Clock, systemClock } from '../../../src/runtime/clock.ts';
import { FakeStore } from '../../fake-store.ts';

const twin = twinNamespaceName({ cluster: 'a', namespace: 'demo' });
const labels = {
  'headcut.dev/origin-cluster': 'a',
  'headcut.dev/origin-namespace': 'demo',
  'headcut.dev/origin-uid': 'u1',
};

function start(clock: Clock = { ...systemClock, sleep: (_ms, signal) => systemClock.sleep(30, signal) }) {
  const pods = new FakeStore<Pod>();
  const shadowPods = new FakeStore<ShadowPod>();
  const isPodAddress = (address: string): boolean => address.startsWith('10.244.0.');
  const index = new OffloadedPodIndex({ pods, shadowPods, isPodAddress, clock });
  const pod = (name: string, podIP?: string, more: Partial<Pod['status']> = {}, own: object = labels): Pod => ({
    metadata: { name, namespace: twin, uid: `r-${name}`, labels: { ...own } },
    spec: { containers: [{ name: 'c' }] },
    status: { phase: 'Running', ...(podIP === undefined ? {} : { podIP }), ...more },
  });
  const shadow = (name: string): ShadowPod => ({
    metadata: { name, namespace: twin },
    spec: { originCluster: 'a', originNamespace: 'demo' } as ShadowPod['spec'],
  });
  return { pods, shadowPods, index, pod, shadow };
}

describe('who asks', () => {
  test('is known by the address of a pod of a peer', async () => {
    const { pods, index, pod } = start();
    pods.set(pod('web', '10.244.0.5'));
    expect(await index.find('10.244.0.5')).toEqual({ cluster: 'a', namespace: 'demo', uid: 'u1' });
  });

  test('is waited for while a pod that just started has told no address', async () => {
    const { pods, index, pod } = start(systemClock);
    pods.set(pod('web'));
    const asked = index.find('10.244.0.5');
    pods.set(pod('web', '10.244.0.5'));
    expect(await asked).toMatchObject({ uid: 'u1' });
  });

  test('is nobody at once from where no pod can be, and one of a few from where pods are', async () => {
    const waits: number[] = [];
    const { index } = start({
      ...systemClock,
      sleep: (ms, signal) => {
        waits.push(ms);
        return systemClock.sleep(30, signal);
      },
    });
    await Promise.all(Array.from({ length: 300 }, (_, i) => index.find(`192.0.2.${i % 250}`)));
    expect(waits).toHaveLength(0);
    await Promise.all(Array.from({ length: 100 }, () => index.find('10.244.0.9')));
    expect(waits).toHaveLength(8);
    await Promise.all(Array.from({ length: 2_000 }, (_, i) => index.find(`10.244.0.${i % 250}`)));
    expect(waits.length).toBeLessThanOrEqual(8 + 256);
  });

  test('is nobody when the pod is of this cluster, has ended or is gone', async () => {
    const { pods, index, pod } = start();
    pods.set(pod('own', '10.244.0.5', {}, {}));
    pods.set(pod('ended', '10.244.0.6'));
    pods.set(pod('ended', '10.244.0.6', { phase: 'Succeeded' }));
    pods.set(pod('gone', '10.244.0.7'));
    pods.delete(`${twin}/gone`);
    for (const address of ['10.244.0.5', '10.244.0.6', '10.244.0.7']) expect(await index.find(address)).toBeUndefined();
  });

  test('is the new pod when an address was given again', async () => {
    const { pods, index, pod } = start();
    pods.set(pod('old', '10.244.0.5'));
    pods.set(pod('new', '10.244.0.5', {}, { ...labels, 'headcut.dev/origin-uid': 'u2' }));
    pods.delete(`${twin}/old`);
    expect(await index.find('10.244.0.5')).toMatchObject({ uid: 'u2' });
  });
});

test('a namespace has a twin as long as there is a shadow pod in it', () => {
  const { shadowPods, index, shadow } = start();
  expect(index.twinOf('a', 'demo')).toBeUndefined();
  shadowPods.set(shadow('one'));
  shadowPods.set(shadow('two'));
  shadowPods.set(shadow('one'));
  expect(index.twinOf('a', 'demo')).toBe(twin);
  expect(index.namespaceOf('a', twin)).toBe('demo');
  expect(index.namespaceOf('other', twin)).toBeUndefined();
  shadowPods.delete(`${twin}/one`);
  expect(index.twinOf('a', 'demo')).toBe(twin);
  shadowPods.delete(`${twin}/two`);
  expect(index.twinOf('a', 'demo')).toBeUndefined();
});
