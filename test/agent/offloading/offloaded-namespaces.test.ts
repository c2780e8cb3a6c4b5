import { describe, expect, test } from 'vitest';
import { OffloadedNamespaces } from '../../../src/agent/offloading/offloaded-namespaces.ts';
import { type KubeObject, objectKey, type Pod } from '../../../src/core/kube-objects.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { FakeStore } from '../../fake-store.ts';

const pod = (status: Pod['status'] = {}): Pod => ({
  metadata: { name: 'web', namespace: 'demo', uid: 'u1' },
  spec: { nodeName: 'headcut-b', containers: [{ name: 'c' }] },
  status,
});
const labelled: KubeObject = { metadata: { name: 'demo', labels: { 'headcut.dev/offload': 'true' } } };
const plain: KubeObject = { metadata: { name: 'demo' } };
const localOnly: KubeObject = {
  metadata: { name: 'offloading', namespace: 'demo' },
  spec: { strategy: 'LocalOnly' },
};

/** @param known what the caches hold @param really what the API server has; undefined when it cannot be asked */
function namespaces(known: KubeObject[], really: KubeObject[] | undefined, synced = true): OffloadedNamespaces {
  const caches = [new FakeStore<KubeObject>(), new FakeStore<KubeObject>()] as const;
  for (const object of known) caches[object.metadata.namespace === undefined ? 0 : 1].set(object);
  for (const cache of caches) cache.synced = synced;
  const client: Pick<KubeClient, 'get'> = {
    get: async <T extends KubeObject>(
      _type: unknown,
      { namespace, name = '' }: { namespace?: string; name?: string },
    ) => {
      if (really === undefined) throw new Error('the API server does not answer');
      const key = objectKey({ metadata: namespace === undefined ? { name } : { namespace, name } });
      const found = really.find((object) => objectKey(object) === key);
      if (found === undefined) throw new ApiError(404, { reason: 'NotFound', message: 'there is none' });
      return found as T;
    },
  } as Pick<KubeClient, 'get'>;
  return new OffloadedNamespaces({ client, namespaces: caches[0], offloadings: caches[1] });
}

describe('a pod may leave', () => {
  test('when its namespace is offloaded, without a question to the API server', async () => {
    expect(await namespaces([labelled], undefined).whyNot(pod())).toBeUndefined();
  });

  test('when the API server says so though the cache does not know it yet', async () => {
    expect(await namespaces([plain], [labelled]).whyNot(pod())).toBeUndefined();
    expect(await namespaces([], [labelled], false).whyNot(pod())).toBeUndefined();
  });

  test('when it has started there, whatever its namespace says by now', async () => {
    const started = pod({ phase: 'Running', startTime: '2026-01-01T00:00:00Z' });
    expect(await namespaces([plain], [plain]).whyNot(started)).toBeUndefined();
    expect(namespaces([plain], [plain]).mayLeave(started)).toBe(true);
  });
});

describe('a pod may not leave', () => {
  test.each<[string, KubeObject[]]>([
    ['without label and Offloading', [plain]],
    ['whose namespace is gone', []],
    ['whose Offloading is LocalOnly', [labelled, localOnly]],
  ])('%s, and reads why', async (_name, there) => {
    const why = await namespaces(there, there).whyNot(pod());
    expect(why).toContain('headcut.dev/offload=true');
    expect(namespaces(there, there).mayLeave(pod())).toBe(false);
  });

  test('is decided by no cold cache, and not while the API server does not answer', async () => {
    expect(namespaces([labelled], [labelled], false).mayLeave(pod())).toBe(false);
    await expect(namespaces([plain], undefined).whyNot(pod())).rejects.toThrow('does not answer');
  });

  test('because it says of itself that something else of it was scheduled or waits', async () => {
    const waiting = pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'True' }] });
    expect(await namespaces([plain], [plain]).whyNot(waiting)).toContain('demo');
  });
});
