import { expect, test } from 'vitest';
import { createGuardRights } from '../../../src/agent/fencing/guard-rights.ts';
import type { KubeObject } from '../../../src/core/kube-objects.ts';
import type { ShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { FakeStore } from '../../fake-store.ts';

const shadow = (namespace: string, name: string, fenced: boolean): ShadowPod =>
  ({
    metadata: { namespace, name },
    spec: fenced ? { fencing: { afterSeconds: 15 } } : {},
  }) as unknown as ShadowPod;

test('the guard may delete pods in twin namespaces with fenced ones, also in those of a former agent, and in no others', async () => {
  const stop = new AbortController();
  const shadowPods = new FakeStore<ShadowPod>();
  const made = new Map<string, KubeObject>();
  const client = {
    get: async (_type: unknown, { namespace = '' }: { namespace?: string }) => {
      const found = made.get(namespace);
      if (found === undefined) throw new ApiError(404, { reason: 'NotFound' });
      return found;
    },
    create: async (_type: unknown, object: KubeObject) => {
      made.set(object.metadata.namespace ?? '', object);
      return object;
    },
  } as unknown as Parameters<typeof createGuardRights>[0]['client'];
  const options = { client, shadowPods, namespace: 'headcut-system', clock: systemClock, logger: silentLogger };
  const rights = createGuardRights(options);
  const running = rights.run(stop.signal);
  shadowPods.set(shadow('plain-1', 'web', false));
  shadowPods.set(shadow('fenced-1', 'db-0', true));
  shadowPods.set(shadow('fenced-1', 'db-1', true));
  await expect.poll(() => [...made.keys()]).toEqual(['fenced-1']);
  expect(made.get('fenced-1')).toMatchObject({
    roleRef: { kind: 'ClusterRole', name: 'headcut-twin-fence' },
    subjects: [{ kind: 'ServiceAccount', name: 'headcut-fence', namespace: 'headcut-system' }],
  });
  stop.abort();
  await running;
});
