import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { KubeObject } from '../../src/core/kube-objects.ts';
import type { SigningRequest } from '../../src/core/virtual-node/judge-request.ts';
import { createKubeClient, type KubeClient } from '../../src/kube/client.ts';
import { kubeconfigConnection } from '../../src/kube/kubeconfig.ts';
import {
  CERTIFICATE_SIGNING_REQUESTS,
  NAMESPACES,
  NODES,
  PODS,
  type ResourceType,
  ROLE_BINDINGS,
  SECRETS,
} from '../../src/kube/resources.ts';
import { createSigningRequest } from '../../src/runtime/x509.ts';
import {
  apply,
  eventually,
  get,
  IMAGE,
  kubectl,
  offloadedNamespace,
  pod,
  podSpec,
  readyPods,
  restartAgents,
  twins,
} from './lab.ts';
import { labFolder } from './reach-lab.ts';

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

const clients: KubeClient[] = [];
afterAll(() => Promise.all(clients.map((client) => client.close())));

/** The API server of `a` for who has these credentials, and nothing else. */
async function reach(credentials: { token: string } | { key: string; cert: string }): Promise<KubeClient> {
  const { server, ca, tlsServerName } = await kubeconfigConnection({
    path: join(labFolder, 'kubeconfig'),
    context: 'a',
  });
  const client = createKubeClient({ server, ca, tlsServerName, ...credentials });
  clients.push(client);
  return client;
}

/** The token of a ServiceAccount of headcut on `a`. */
async function tokenOf(account: string): Promise<{ token: string }> {
  return { token: (await kubectl('a', ['-n', 'headcut-system', 'create', 'token', account])).trim() };
}

const DENIED = { reason: 'Forbidden' };
/** Longer than kube-controller-manager takes to approve and sign. */
const SIGNED_WITHIN_MS = 5_000;

/** What becomes of a request for a certificate. */
async function requestCertificate(client: KubeClient, name: string, use: 'client' | 'serving', ip: string[] = []) {
  const { request } = await createSigningRequest({ commonName: name, organization: 'system:nodes' }, ip);
  const signerName = use === 'client' ? 'kubernetes.io/kube-apiserver-client-kubelet' : 'kubernetes.io/kubelet-serving';
  const usages = ['digital signature', use === 'client' ? 'client auth' : 'server auth'];
  const spec = { request: Buffer.from(request).toString('base64'), signerName, usages };
  const object = { metadata: { generateName: 'least-privilege-' }, spec } as unknown as SigningRequest;
  const { metadata } = await client.create(CERTIFICATE_SIGNING_REQUESTS, object);
  const end = Date.now() + SIGNED_WITHIN_MS;
  for (;;) {
    const { status = {} } = await get<SigningRequest>('a', ['csr', metadata.name]);
    if (status.certificate !== undefined || Date.now() > end) {
      await kubectl('a', ['delete', 'csr', metadata.name]);
      return { certificate: status.certificate, conditions: status.conditions?.map(({ type }) => type) ?? [] };
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function identityOf(agent: KubeClient, node: string): Promise<{ key: string; cert: string }> {
  const name = `${node}-client-certificate`;
  const { data = {} } = await agent.get<KubeObject & { data?: Record<string, string> }>(SECRETS, {
    namespace: 'headcut-system',
    name,
  });
  const text = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString();
  return { key: text('tls.key'), cert: text('tls.crt') };
}

describe("from the token of the agent's ServiceAccount alone", () => {
  test('there is no way to the identity of the real node', async () => {
    const agent = await reach(await tokenOf('headcut'));
    expect(await requestCertificate(agent, 'system:node:a', 'client')).toEqual({
      certificate: undefined,
      conditions: ['Denied'],
    });
    const { certificate, conditions } = await requestCertificate(agent, 'system:node:headcut-zz', 'client');
    expect(conditions).toEqual(['Approved']);
    const { subject } = new X509Certificate(Buffer.from(certificate ?? '', 'base64'));
    expect(subject).toBe('O=system:nodes\nCN=system:node:headcut-zz');
    // By the identity of a virtual node, which is the agent's.
    const node = await reach(await identityOf(agent, 'headcut-b'));
    await expect(requestCertificate(node, 'system:node:a', 'client')).rejects.toMatchObject(DENIED);
    const { status } = await get<KubeObject & { status: { addresses: { address: string }[] } }>('a', ['node', 'a']);
    const address = status.addresses[0]?.address ?? '';
    await expect(requestCertificate(node, 'system:node:a', 'serving', [address])).rejects.toMatchObject(DENIED);
    for (const [client, name, ip] of [
      [agent, 'system:node:a', address],
      [agent, 'system:node:headcut-b', address],
      [node, 'system:node:headcut-b', '192.0.2.1'],
    ] as const)
      expect((await requestCertificate(client, name, 'serving', [ip])).certificate, `${name} ${ip}`).toBeUndefined();
  }, 60_000);

  test('there is no token of who may approve certificates', async () => {
    const agent = await reach(await tokenOf('headcut'));
    const secret = {
      metadata: {
        name: 'minted',
        namespace: 'headcut-system',
        annotations: { 'kubernetes.io/service-account.name': 'headcut-approver' },
      },
      type: 'kubernetes.io/service-account-token',
    };
    await expect(agent.create(SECRETS, secret as unknown as KubeObject)).rejects.toMatchObject(DENIED);
    const path = '/api/v1/namespaces/headcut-system/serviceaccounts/headcut-approver/token';
    await expect(agent.request('POST', path, { body: {} })).rejects.toMatchObject(DENIED);
  });

  test('there is no way to a privileged pod, and none to the pods of others', async () => {
    const agent = await reach(await tokenOf('headcut'));
    const labels = (level: string) => ({
      'headcut.dev/origin-cluster': 'x',
      'pod-security.kubernetes.io/enforce': level,
    });
    const name = `evil-${process.pid}`;
    const evil = (level: string): KubeObject => ({ metadata: { name, labels: labels(level) } });
    await expect(agent.create(NAMESPACES, evil('privileged'))).rejects.toMatchObject(DENIED);
    await agent.create(NAMESPACES, evil('baseline'));
    try {
      await expect(agent.patch(NAMESPACES, { name }, evil('privileged'))).rejects.toMatchObject(DENIED);
      const binding = {
        metadata: { name: 'headcut-twin', namespace: name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'headcut-twin' },
        subjects: [{ kind: 'ServiceAccount', name: 'headcut', namespace: 'headcut-system' }],
      } as unknown as KubeObject;
      await agent.create(ROLE_BINDINGS, binding);
      const container = { name: 'c', image: IMAGE, imagePullPolicy: 'Never' };
      const podOf = (spec: object): KubeObject =>
        ({
          metadata: { name: 'root', namespace: name },
          spec: { containers: [container], automountServiceAccountToken: false, ...spec },
        }) as unknown as KubeObject;
      await eventually(async () => void (await agent.create(PODS, podOf({}), { dryRun: true })));
      for (const spec of [
        { containers: [{ ...container, securityContext: { privileged: true } }] },
        { volumes: [{ name: 'h', hostPath: { path: '/' } }] },
        { hostNetwork: true },
        { hostPID: true },
        { automountServiceAccountToken: true },
        { serviceAccountName: 'other' },
      ])
        await expect(agent.create(PODS, podOf(spec)), JSON.stringify(spec)).rejects.toMatchObject(DENIED);
    } finally {
      await kubectl('a', ['delete', 'namespace', name, '--wait=false']);
    }
    // A node on which the scheduler would put pods of others, whose Secrets its identity could read.
    const open = { metadata: { name: 'headcut-zz', labels: { 'headcut.dev/peer': 'x', type: 'virtual-kubelet' } } };
    await expect(agent.create(NODES, open)).rejects.toMatchObject(DENIED);
    const identity = await reach(await identityOf(agent, 'headcut-b'));
    for (const client of [agent, identity])
      await expect(client.patch(NODES, { name: 'headcut-b' }, { spec: { taints: null } })).rejects.toMatchObject(
        DENIED,
      );
    const relabel = { metadata: { labels: { type: 'real' } } };
    await expect(identity.patch(NODES, { name: 'headcut-b' }, relabel)).rejects.toMatchObject(DENIED);
    for (const [type, of] of [
      [NODES, 'a'],
      [NAMESPACES, 'default'],
    ] as [ResourceType, string][])
      await expect(agent.delete(type, { name: of })).rejects.toMatchObject(DENIED);
  }, 60_000);
});

test('what is root on the node has no token of the agent', async () => {
  const whose = async (deployment: string, container: string): Promise<string> => {
    const script = `const f='/var/run/secrets/kubernetes.io/serviceaccount/token', fs=require('fs');
      console.log(fs.existsSync(f) ? JSON.parse(Buffer.from(fs.readFileSync(f,'utf8').split('.')[1],'base64url')).sub : 'nobody')`;
    const exec = [
      '-n',
      'headcut-system',
      'exec',
      `deployment/${deployment}`,
      '-c',
      container,
      '--',
      '/usr/local/bin/node',
    ];
    return (await kubectl('a', [...exec, '-e', script])).trim();
  };
  const account = (name: string): string => `system:serviceaccount:headcut-system:${name}`;
  expect(await whose('headcut', 'headcut')).toBe(account('headcut'));
  expect(await whose('headcut', 'network')).toBe('nobody');
  expect(await whose('headcut-fence', 'fence')).toBe(account('headcut-fence'));
  expect(await whose('headcut-approver', 'approver')).toBe(account('headcut-approver'));
  const fence = account('headcut-fence');
  for (const [verb, kind] of [
    ['list', 'pods'],
    ['get', 'secrets'],
    ['delete', 'pods'],
    ['create', 'pods'],
  ] as const)
    expect(await as('a', [fence], ['auth', 'can-i', verb, kind, '-A']), `${verb} ${kind}`).toBe('no\n');
});

test('virtual nodes that have lost their certificates get new ones', async () => {
  const secrets = ['headcut-b-client-certificate', 'headcut-b-serving-certificate'];
  const versions = async (): Promise<string> => {
    const objects = secrets.map((name) => get<KubeObject>('a', ['-n', 'headcut-system', 'secret', name]));
    return (await Promise.all(objects)).map(({ metadata }) => metadata.uid).join();
  };
  const before = await versions();
  await kubectl('a', ['-n', 'headcut-system', 'delete', 'secret', ...secrets]);
  await restartAgents('a');
  await eventually(async () => expect(await versions()).not.toBe(before), 60_000);
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  await apply('a', pod(name, 'web', podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } })));
  await readyPods('a', name, 1);
  expect(await kubectl('a', ['-n', name, 'exec', 'web', '--', 'echo', 'hello'])).toBe('hello\n');
}, 120_000);
