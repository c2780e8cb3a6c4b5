import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { stringify } from 'yaml';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import { LEASES, NODES, PODS } from '../../src/kube/resources.ts';
import { kwokConfiguration } from '../../src/lab/providers/kwok/stages.ts';
import { freePort } from './api-server.ts';
import { adminClient, freshNamespace } from './cluster.ts';

const NODE = 'simulated';
const client = adminClient();
let folder = '';
let kwok: ChildProcess;
let said = '';

beforeAll(async () => {
  const { server, token } = inject('apiServer');
  folder = await mkdtemp(join(tmpdir(), 'headcut-kwok-'));
  await writeFile(join(folder, 'kwok.yaml'), kwokConfiguration());
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'x',
    clusters: [{ name: 'x', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'x', user: { token } }],
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
  };
  await writeFile(join(folder, 'kubeconfig'), stringify(kubeconfig));
  await client.create(NODES, { metadata: { name: NODE } });
  const port = await freePort();
  const flags = {
    config: join(folder, 'kwok.yaml'),
    kubeconfig: join(folder, 'kubeconfig'),
    'manage-single-node': NODE,
    'node-name': NODE,
    'node-ip': '192.0.2.7',
    'node-port': String(port),
    'server-address': `127.0.0.1:${port}`,
    'node-lease-duration-seconds': '40',
    cidr: '10.244.0.0/24',
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  kwok = spawn(join(process.env.HEADCUT_TOOLS ?? '', 'kwok'), args, { env: { HOME: folder }, cwd: folder });
  for (const stream of [kwok.stdout, kwok.stderr]) stream?.on('data', (text) => (said += text));
}, 30_000);
afterAll(async () => {
  const ended = new Promise((resolve) => kwok.once('exit', resolve));
  kwok.kill('SIGKILL');
  await ended;
  await client.close();
  await rm(folder, { recursive: true });
});

async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 15_000;
  for (;;) {
    const found = await look().catch(() => undefined);
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`it did not come so; kwok says:\n${said.slice(-2_000)}`);
    await sleep(100);
  }
}

const conditions = (object: Node | Pod): string[] =>
  ((object.status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions ?? [])
    .filter(({ status }) => status === 'True')
    .map(({ type }) => type);

describe('a simulated node', () => {
  const pod = (namespace: string, name: string, spec: object = {}) => ({
    metadata: { name, namespace },
    spec: { nodeName: NODE, containers: [{ name: 'c', image: 'x.test/x:1' }], ...spec },
  });
  const get = (namespace: string, name: string) => client.get<Pod>(PODS, { namespace, name });

  test('is Ready, has room, and holds a lease as one with a kubelet does', async () => {
    const node = await eventually(async () => {
      const found = await client.get<Node>(NODES, { name: NODE });
      return conditions(found).includes('Ready') ? found : undefined;
    });
    const { allocatable, addresses } = node.status as { allocatable: object; addresses: object[] };
    expect(allocatable).toMatchObject({ cpu: '8', memory: '16Gi', pods: '110' });
    expect(addresses).toContainEqual({ type: 'InternalIP', address: '192.0.2.7' });
    const lease = await eventually(() => client.get(LEASES, { namespace: 'kube-node-lease', name: NODE }));
    expect(lease.spec).toMatchObject({ leaseDurationSeconds: 40, renewTime: expect.any(String) });
  });

  test('runs the pods that are bound to it, each with an address of its own, and no others', async () => {
    const namespace = await freshNamespace(client);
    for (const name of ['one', 'two']) await client.create(PODS, pod(namespace, name));
    await client.create(PODS, pod(namespace, 'elsewhere', { nodeName: 'headcut-b' }));
    const [one, two] = await Promise.all(
      ['one', 'two'].map((name) =>
        eventually(async () => {
          const found = await get(namespace, name);
          return conditions(found).includes('Ready') ? found : undefined;
        }),
      ),
    );
    expect(one?.status?.phase).toBe('Running');
    expect(one?.status?.podIP).toMatch(/^10\.244\.0\.\d+$/);
    expect(one?.status?.podIP).not.toBe(two?.status?.podIP);
    expect((await get(namespace, 'elsewhere')).status?.phase).toBe('Pending');
  });

  test('ends those that do not start again, and removes those that are deleted', async () => {
    const namespace = await freshNamespace(client);
    await client.create(PODS, pod(namespace, 'job', { restartPolicy: 'Never' }));
    await eventually(async () => ((await get(namespace, 'job')).status?.phase === 'Succeeded' ? true : undefined));
    await client.delete(PODS, { namespace, name: 'job' });
    await eventually(async () => {
      const { items } = await client.list<Pod>(PODS, { namespace });
      return items.length === 0 ? true : undefined;
    });
  });
});
