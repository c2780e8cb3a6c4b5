import { expect, test } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import { headcut } from './headcut-command.ts';
import { apply, kubectl, list, offloadedNamespace, pod, podSpec, readyPods } from './lab.ts';

const ON_B = { nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } };

async function tokensOnB(namespace: string): Promise<string[]> {
  const secrets = await list<KubeObject>('b', ['secrets', '-A']);
  return secrets
    .filter(({ metadata }) => metadata.namespace?.startsWith(`${namespace}-`) && metadata.name.includes('tokens'))
    .map(({ metadata }) => metadata.name);
}

const files = (namespace: string): Promise<string> =>
  kubectl('a', [
    '-n',
    namespace,
    'exec',
    'p',
    '--',
    'sh',
    '-c',
    'ls /var/run/secrets/kubernetes.io/serviceaccount 2>&1 || true',
  ]);

test('a token goes with a pod that mounts it, and the namespace is told where it is', async () => {
  await using namespace = await offloadedNamespace('a');
  await apply('a', pod(namespace.name, 'p', podSpec(ON_B)));
  await readyPods('a', namespace.name, 1);
  expect(await tokensOnB(namespace.name)).toHaveLength(1);
  expect(await files(namespace.name)).toContain('token');
  const told = await headcut('a', 'explain', 'namespace', namespace.name);
  expect(told.stdout).toContain('ServiceAccount default are on b');
});

test.each([
  ['a pod that wants none', podSpec({ ...ON_B, automountServiceAccountToken: false }), {}],
  ['a namespace that keeps them', podSpec(ON_B), { serviceAccountTokens: 'KeepHome' }],
])('no token leaves with %s, and the pod runs', async (_what, spec, settings) => {
  await using namespace = await offloadedNamespace('a');
  const metadata = { name: 'offloading', namespace: namespace.name };
  await apply('a', { apiVersion: 'headcut.dev/v1alpha1', kind: 'Offloading', metadata, spec: settings });
  await apply('a', pod(namespace.name, 'p', spec));
  await readyPods('a', namespace.name, 1);
  expect(await tokensOnB(namespace.name)).toEqual([]);
  expect(await files(namespace.name)).not.toContain('token');
});
