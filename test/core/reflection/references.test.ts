import { expect, test } from 'vitest';
import type { Pod } from '../../../src/core/kube-objects.ts';
import { referencedByDebuggers, referencedObjects, referencedTokens } from '../../../src/core/reflection/references.ts';
import { toReflectedObject } from '../../../src/core/reflection/reflected-object.ts';

const pod: Pod = {
  metadata: { name: 'p', namespace: 'demo', uid: 'u1' },
  spec: {
    initContainers: [{ name: 'i', env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'from-env', key: 'a' } } }] }],
    containers: [
      { name: 'c', envFrom: [{ configMapRef: { name: 'from-env-from' } }, { configMapRef: { name: 'both' } }] },
    ],
    imagePullSecrets: [{ name: 'pull' }],
    volumes: [
      { name: 'v', configMap: { name: 'both' } },
      { name: 's', secret: { secretName: 'mounted' } },
      {
        name: 't',
        projected: { sources: [{ configMap: { name: 'ca' } }, { serviceAccountToken: { path: 'token' } }] },
      },
    ],
  },
};

test('all ConfigMaps and Secrets that a pod references are found, each once', () => {
  expect(referencedObjects(pod).map(({ kind, name }) => `${kind}/${name}`)).toEqual([
    'ConfigMap/both',
    'ConfigMap/ca',
    'ConfigMap/from-env-from',
    'Secret/from-env',
    'Secret/mounted',
    'Secret/pull',
  ]);
});

test('what a debugger names is found, apart from what the pod is made with', () => {
  const debug = { name: 'd', envFrom: [{ secretRef: { name: 'from-debugger' } }] };
  const debugged = { ...pod, spec: { ...pod.spec, ephemeralContainers: [debug] } };
  expect(referencedByDebuggers(debugged)).toEqual([{ kind: 'Secret', name: 'from-debugger' }]);
  expect(referencedObjects(debugged)).toEqual(referencedObjects(pod));
});

test('a mounted token is found with its place and the default life', () => {
  expect(referencedTokens(pod)).toEqual([{ volume: 't', index: 1, audience: undefined, expirationSeconds: 3600 }]);
});

test('a reflected object carries its data and nothing of the metadata of its origin', () => {
  const secret = {
    kind: 'Secret' as const,
    metadata: { name: 's', namespace: 'demo', uid: 'x', annotations: { secret: 'note' }, ownerReferences: [] },
    type: 'kubernetes.io/service-account-token',
    data: { a: 'YQ==' },
  };
  const reflected = toReflectedObject(secret, 'headcut-home.s', {
    name: 'demo-1',
    origin: { cluster: 'cluster-a', namespace: 'demo' },
  });
  expect(reflected).toMatchObject({
    type: 'Opaque',
    data: { a: 'YQ==' },
    metadata: { name: 'headcut-home.s', namespace: 'demo-1' },
  });
  expect(reflected.metadata).not.toHaveProperty('annotations');
  expect(reflected.metadata).not.toHaveProperty('uid');
});
