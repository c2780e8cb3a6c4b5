import { expect, test } from 'vitest';
import { apply, kubectl, offloadedNamespace, pod, podSpec, readyPods, twins } from './lab.ts';

const AGENT = 'system:serviceaccount:headcut-system:headcut';

/** What the API server answers to a request made as somebody else. */
async function as(cluster: string, who: string[], args: string[]): Promise<string> {
  const impersonation = who.map((one, index) => (index === 0 ? `--as=${one}` : `--as-group=${one}`));
  try {
    return await kubectl(cluster, [...args, ...impersonation]);
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return stdout + stderr;
  }
}

test("the agent's ServiceAccount reads no Secret or ConfigMap outside its own and twin namespaces", async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: name }, stringData: { k: 'v' } };
  const env = [{ name: 'S', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }];
  await apply(
    'a',
    secret,
    pod(name, 'web', podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } }, { env })),
  );
  await readyPods('a', name, 1);
  for (const [kind, target] of [
    ['secrets', name],
    ['configmaps', name],
    ['secrets', 'kube-system'],
    ['serviceaccounts', name],
  ] as const) {
    for (const verb of ['get', 'list', 'watch']) {
      expect(await as('a', [AGENT], ['auth', 'can-i', verb, kind, '-n', target]), `${verb} ${kind} in ${target}`).toBe(
        'no\n',
      );
    }
  }
  expect(await as('a', [AGENT], ['-n', name, 'get', 'secret', 's'])).toContain('Forbidden');
  expect(await as('a', [AGENT], ['auth', 'can-i', 'get', 'secrets', '-n', 'headcut-system'])).toBe('yes\n');
  const [twin] = await twins('b', name);
  expect(await as('b', [AGENT], ['-n', twin?.metadata.namespace ?? '', 'get', 'secret', 'headcut-home.s'])).toContain(
    'Opaque',
  );
  expect(await as('b', [AGENT], ['auth', 'can-i', 'create', 'pods', '-n', 'default'])).toBe('no\n');
});

test('a virtual node reads just the Secrets that its pods reference', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const secret = (of: string) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: of, namespace: name },
    stringData: { k: 'v' },
  });
  const env = [{ name: 'S', valueFrom: { secretKeyRef: { name: 'used', key: 'k' } } }];
  await apply(
    'a',
    secret('used'),
    secret('other'),
    pod(name, 'web', podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } }, { env })),
  );
  await readyPods('a', name, 1);
  const node = (of: string) => [`system:node:headcut-${of}`, 'system:nodes', 'system:authenticated'];
  expect(await as('a', node('b'), ['-n', name, 'get', 'secret', 'used'])).toContain('Opaque');
  expect(await as('a', node('b'), ['-n', name, 'get', 'secret', 'other'])).toContain('Forbidden');
  expect(await as('a', node('b'), ['-n', name, 'get', 'secrets'])).toContain('Forbidden');
  expect(await as('a', node('c'), ['-n', name, 'get', 'secret', 'used'])).toContain('Forbidden');
});

test('the guard keeps the agent from nodes, namespaces and role bindings that are not its own', async () => {
  const patch = (kind: string, of: string) => [
    'patch',
    kind,
    of,
    '--type=merge',
    '-p',
    '{"metadata":{"labels":{"x":"y"}}}',
  ];
  expect(await as('a', [AGENT], patch('node', 'a'))).toMatch(/denied|[Ff]orbidden/);
  expect(await as('a', [AGENT], patch('namespace', 'kube-system'))).toMatch(/denied|[Ff]orbidden/);
  const bind = [
    '-n',
    'kube-system',
    'create',
    'rolebinding',
    'x',
    '--clusterrole=headcut-twin',
    `--serviceaccount=headcut-system:headcut`,
  ];
  expect(await as('a', [AGENT], bind)).toMatch(/denied|[Ff]orbidden/);
});
