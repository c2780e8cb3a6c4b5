import { expect, test } from 'vitest';
import type { HomeContact, PodLeases } from '../../../src/agent/ports.ts';
import { ShadowPods } from '../../../src/agent/shadow-pod/shadow-pods.ts';
import { DEFAULT_TERMS } from '../../../src/core/guest-pod/guest-terms.ts';
import type { KubeObject, Pod } from '../../../src/core/kube-objects.ts';
import { DEFAULT_MEMBER_LIMITS } from '../../../src/core/shadow-pod/member-limits.ts';
import type { ShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import { toTwinNamespace, twinNamespaceName } from '../../../src/core/shadow-pod/twin-namespace.ts';
import type { KubeClient } from '../../../src/kube/client.ts';
import { NAMESPACES } from '../../../src/kube/resources.ts';
import { createLogger } from '../../../src/runtime/logger.ts';
import { FakeStore } from '../../fake-store.ts';
import { jumpingClock } from '../../jumping-clock.ts';

const MEMBER = 'm'.repeat(52);

const twin = (namespace: string, cluster = MEMBER) => {
  const origin = { cluster, namespace };
  return { name: twinNamespaceName(origin), origin };
};

function provider(namespaces: number, withData: { namespace: string }[] = []) {
  const made = new Map<string, KubeObject>();
  const data = new Set(withData.map(({ namespace }) => twin(namespace).name));
  const client = {
    create: async (type: unknown, object: KubeObject) => {
      if (type === NAMESPACES) made.set(object.metadata.name, object);
      return object;
    },
    get: async (type: unknown, { name }: { name: string }) => (type === NAMESPACES ? made.get(name) : {}),
    list: async () => ({ items: [] }),
    delete: async (_type: unknown, { name }: { name: string }) => made.delete(name),
  } as unknown as KubeClient;
  const shadowPods = new ShadowPods({
    client,
    pods: new FakeStore<Pod>(),
    shadowPods: new FakeStore<ShadowPod>(),
    admission: { reserve: () => ({ ok: true }), release: () => {} },
    services: { prepare: () => Promise.resolve() },
    agent: { namespace: 'headcut-system', serviceAccount: 'headcut' },
    podSecurityLevel: () => 'baseline',
    terms: () => DEFAULT_TERMS,
    surroundings: () => undefined,
    limits: () => ({ ...DEFAULT_MEMBER_LIMITS, pods: 200, namespaces }),
    leases: { onChange: () => {} } as unknown as PodLeases,
    homes: { onChange: () => {} } as unknown as HomeContact,
    volumes: {
      holdsData: (name) => data.has(name),
      twinsOf: (peerId) => (peerId === MEMBER ? [...data] : []),
      refusalOf: () => undefined,
    },
    membersKnown: () => Promise.resolve(),
    clock: jumpingClock(),
    logger: createLogger('silent'),
  });
  return { shadowPods, made, data };
}

/** Until nothing is left to do, or the test has what it waits for. */
async function runUntil(shadowPods: ShadowPods, isDone: () => boolean): Promise<void> {
  const end = new AbortController();
  const running = shadowPods.run(end.signal);
  await expect.poll(isDone).toBe(true);
  end.abort();
  await running;
}

test('a member gets no more twin namespaces for volumes than for pods, however many it asks for at once', async () => {
  const { shadowPods, made } = provider(3);
  const asked = ['a', 'b', 'c', 'd', 'e', 'a'].map((namespace) => shadowPods.ensureTwin(twin(namespace)));
  const refused = (await Promise.all(asked)).map((refusal) => refusal?.reason);
  expect(refused).toEqual([undefined, undefined, undefined, 'TooManyNamespaces', 'TooManyNamespaces', undefined]);
  expect(made.size).toBe(3);
  expect(await shadowPods.ensureTwin(twin('a', 'o'.repeat(52)))).toBeUndefined();
});

test('namespaces that hold data of a former process count', async () => {
  const { shadowPods } = provider(1, [{ namespace: 'a' }]);
  expect(await shadowPods.ensureTwin(twin('b'))).toMatchObject({ reason: 'TooManyNamespaces' });
  expect(await shadowPods.ensureTwin(twin('a'))).toBeUndefined();
});

test('a twin namespace that was made for a volume that never came goes again', async () => {
  const { shadowPods, made } = provider(3);
  await shadowPods.ensureTwin(twin('a'));
  expect(made.size).toBe(1);
  await runUntil(shadowPods, () => made.size === 0);
});

test('a twin namespace whose only volume went goes too, whoever made it', async () => {
  const { shadowPods, made, data } = provider(3, [{ namespace: 'a' }]);
  const { name, origin } = twin('a');
  made.set(name, toTwinNamespace({ name, origin }, 'baseline'));
  data.clear();
  shadowPods.noteVolume(name);
  await runUntil(shadowPods, () => made.size === 0);
});
