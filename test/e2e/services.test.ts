import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { KubeObject, Pod } from '../../src/core/kube-objects.ts';
import type { EndpointSlice, Service } from '../../src/core/service/service-objects.ts';
import { askers, clusters, DNS_CACHE_MS, lookup, nodes, peers, READY_PROBE, service, shell } from './askers.ts';
import {
  apply,
  countByNode,
  cutOff,
  deployment,
  evenDeployment,
  eventually,
  get,
  IMAGE,
  isReady,
  kubectl,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  readyPods,
  restartAgents,
  twins,
} from './lab.ts';

/** What the promise allows, and what looking at it takes on a busy machine. */
const DETECTED_WITHIN_MS = 3_000;
const WITHDRAWN_WITHIN_MS = 1_000;
const ANSWERED_WITHIN_MS = 2_000;
const LOOKING_MS = 3_000;

async function twinOf(cluster: string, namespace: string): Promise<string> {
  const found = await list<KubeObject>(cluster, ['namespaces', '-l', `headcut.dev/origin-namespace=${namespace}`]);
  return found[0]?.metadata.name ?? '';
}

describe('a Service of an offloaded namespace', () => {
  test('answers from all replicas on all clusters, wherever it is asked', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const replicas = 2 * clusters.length;
    await apply(
      'a',
      service(name, 'hello'),
      service(name, 'hello-all', { clusterIP: 'None', selector: { app: 'hello' } }),
    );
    await apply('a', evenDeployment(name, 'hello', replicas, podSpec({}, READY_PROBE)));
    const pods = await readyPods('a', name, replicas);
    expect(Object.values(countByNode(pods))).toEqual(nodes.map(() => 2));
    const names = pods.map(({ metadata }) => metadata.name).sort();
    for (const asker of await askers(name)) {
      await eventually(async () => expect(await lookup(name, asker, 'hello-all')).toHaveLength(replicas), DNS_CACHE_MS);
      const script = `for i in $(seq 300); do timeout 5 wget -qO- http://hello.${name} || echo failed; done`;
      const lines = (await shell(name, asker, script)).trim().split('\n');
      expect(lines).toHaveLength(300);
      expect(lines.filter((line) => !line.startsWith('hello from pod'))).toEqual([]);
      const answered = new Set(lines.map((line) => /hello from pod (\S+)/.exec(line)?.[1] ?? ''));
      expect([...answered].sort()).toEqual(names);
      for (const form of ['hello', `hello.${name}.svc`, `hello.${name}.svc.cluster.local`]) {
        expect(await shell(name, asker, `timeout 5 wget -qO- http://${form}`)).toContain('hello from pod');
      }
    }
  });

  test('gives each pod of a StatefulSet its own name, everywhere', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const labels = { app: 'hello' };
    await apply('a', service(name, 'hello', { clusterIP: 'None' }), {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'hello', namespace: name },
      spec: {
        serviceName: 'hello',
        replicas: clusters.length,
        podManagementPolicy: 'Parallel',
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec() },
      },
    });
    await readyPods('a', name, clusters.length);
    for (const asker of await askers(name)) {
      for (const index of clusters.keys()) {
        await eventually(
          async () =>
            expect(await shell(name, asker, `timeout 5 wget -qO- http://hello-${index}.hello:8080`)).toContain(
              `hello from pod hello-${index}`,
            ),
          DNS_CACHE_MS,
        );
      }
    }
  });

  test('fails no request while its Deployment is rolled over', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const lifecycle = { preStop: { sleep: { seconds: 8 } } };
    const spec = podSpec({ terminationGracePeriodSeconds: 12 }, { ...READY_PROBE, lifecycle });
    const replicas = 2 * clusters.length;
    const rolled = deployment(name, 'hello', replicas, spec) as { spec: object };
    Object.assign(rolled.spec, { strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 2 } } });
    await apply('a', service(name, 'hello'), rolled);
    await readyPods('a', name, replicas);
    const names = await askers(name);
    // 50 a second, until the file is there; beside the shell, since it may take longer than a call of kubectl should.
    const script = `n=0; while [ ! -e /tmp/end ]; do n=$((n+1));
      (timeout 10 wget -qO- http://hello >/dev/null 2>/tmp/$n || { echo failed $n; cat /tmp/$n; }; rm /tmp/$n) & usleep 20000; done; wait; echo made $n`;
    const asking = names.slice(0, 2);
    for (const asker of asking) await shell(name, asker, `{ ${script}; } >/tmp/result 2>&1 </dev/null &`);
    await sleep(3_000);
    await kubectl('a', ['-n', name, 'rollout', 'restart', 'deployment/hello']);
    const rollout = ['-n', name, 'rollout', 'status', 'deployment/hello', '--timeout=30s'];
    await eventually(async () => expect(await kubectl('a', rollout)).toContain('successfully rolled out'), 120_000);
    await sleep(10_000);
    for (const asker of asking) await shell(name, asker, 'touch /tmp/end');
    for (const asker of asking) {
      await eventually(async () => {
        const text = await shell(name, asker, 'cat /tmp/result');
        expect(text).not.toContain('failed');
        expect(Number(/made (\d+)/.exec(text)?.[1])).toBeGreaterThan(300);
      });
    }
  }, 300_000);

  test('opens no port on a provider, leaves a Service of others alone, and says so', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'web', podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } })));
    await readyPods('a', name, 1);
    const twin = await twinOf('b', name);
    const foreign = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'db', namespace: twin },
      spec: { ports: [{ port: 1 }] },
    };
    await apply('b', foreign);
    await apply('a', service(name, 'web', { type: 'NodePort' }), service(name, 'db'));
    await eventually(async () => {
      const web = await get<Service>('b', ['-n', twin, 'service', 'web']);
      expect(web.spec?.type).toBe('ClusterIP');
      expect(JSON.stringify(web.spec)).not.toContain('nodePort');
      expect(await kubectl('a', ['-n', name, 'get', 'events', '--field-selector=reason=NameTaken'])).toContain(
        'service/db',
      );
    });
    const db = await get<Service>('b', ['-n', twin, 'service', 'db']);
    expect(db.metadata.labels).toBeUndefined();
    expect(db.spec?.ports?.map(({ port }) => port)).toEqual([1]);
  });

  test('is left as it is on a provider when agents restart', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', service(name, 'hello'), deployment(name, 'hello', nodes.length));
    await readyPods('a', name, nodes.length);
    const twin = await twinOf('b', name);
    const versions = async () => {
      const objects = await list<EndpointSlice>('b', ['-n', twin, 'services,endpointslices']);
      return objects.map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`);
    };
    await eventually(async () => {
      const [slice] = await list<EndpointSlice>('b', ['-n', twin, 'endpointslices']);
      expect(slice?.endpoints?.filter((one) => one.conditions?.ready)).toHaveLength(nodes.length);
    });
    const before = await versions();
    await restartAgents(...clusters);
    await sleep(10_000);
    expect(await versions()).toEqual(before);
  });
});

test('endpoints on a peer that cannot be reached leave every Service at once and come back with it', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  // They would be replaced in the meantime otherwise.
  const tolerations = ['headcut.dev/virtual-node', 'headcut.dev/unreachable'].map((key) => ({
    key,
    operator: 'Exists',
  }));
  await apply(
    'a',
    service(name, 'web'),
    ...nodes.map((node, index) => {
      const spec = podSpec({ tolerations, nodeSelector: { 'kubernetes.io/hostname': node } });
      return {
        ...pod(name, `web-${index}`, spec),
        metadata: { name: `web-${index}`, namespace: name, labels: { app: 'web' } },
      };
    }),
  );
  await readyPods('a', name, nodes.length);
  const ready = async (cluster: string, namespaceThere: string): Promise<number> => {
    const slices = await list<EndpointSlice>(cluster, ['-n', namespaceThere, 'endpointslices']);
    return slices.flatMap(({ endpoints }) => endpoints ?? []).filter((one) => one.conditions?.ready).length;
  };
  const places = [
    { cluster: 'a', namespaceThere: name },
    ...(await Promise.all(
      peers
        .filter((peer) => peer !== 'b')
        .map(async (peer) => ({ cluster: peer, namespaceThere: await twinOf(peer, name) })),
    )),
  ];
  const eachHas = (count: number, withinMs: number) =>
    eventually(async () => {
      for (const { cluster, namespaceThere } of places) expect(await ready(cluster, namespaceThere)).toBe(count);
    }, withinMs);
  await eachHas(nodes.length, 30_000);
  {
    await using _cut = await cutOff('b');
    await eachHas(nodes.length - 1, DETECTED_WITHIN_MS + WITHDRAWN_WITHIN_MS + LOOKING_MS);
    expect(await list<Pod>('a', ['-n', name, 'pods'])).toHaveLength(nodes.length);
  }
  await eachHas(nodes.length, 30_000);
});

describe('an offloaded pod', () => {
  const onB = { nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } };

  test("sees the names of its home and none of the provider's", async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', service(name, 'web'), pod(name, 'web', podSpec(onB)));
    await readyPods('a', name, 1);
    const twin = await twinOf('b', name);
    await eventually(
      async () => expect(await lookup(name, 'web', `web.${name}.svc.cluster.local`)).toHaveLength(1),
      DNS_CACHE_MS,
    );
    for (const other of ['kube-dns.kube-system', 'headcut-dns.headcut-system', `web.${twin}`]) {
      expect(await lookup(name, 'web', `${other}.svc.cluster.local`), other).toEqual([]);
    }
  });

  test('reaches a Service soon after it was made at home, also when it asked for it all the time', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const atHome = podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'a' } });
    await apply('a', pod(name, 'web', atHome), pod(name, 'asker', podSpec(onB)));
    await readyPods('a', name, 2);
    // More than once: it goes well by chance when everybody is quick.
    for (const late of ['late-1', 'late-2', 'late-3']) {
      const asked = `until timeout 20 wget -qO- http://${late} 2>/tmp/said; do usleep 50000; done; cat /tmp/said`;
      const answer = shell(name, 'asker', asked);
      await sleep(1_000);
      await apply('a', service(name, late, { selector: { app: 'web' } }));
      const madeAt = performance.now();
      expect(await answer).toContain('hello from pod web');
      expect(performance.now() - madeAt, late).toBeLessThan(ANSWERED_WITHIN_MS + LOOKING_MS);
    }
  });

  test('gets through to a Service that the provider sets up only after it asked', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'web', podSpec(onB)), pod(name, 'asker', podSpec(onB)));
    await readyPods('a', name, 2);
    const twin = await twinOf('b', name);
    // The next free address, which nothing leads to yet.
    await apply('b', service(twin, 'free', { selector: {} }));
    const clusterIP = (await get<Service>('b', ['-n', twin, 'service', 'free'])).spec?.clusterIP as string;
    await kubectl('b', ['-n', twin, 'delete', 'service', 'free']);
    const [web] = (await twins('b', name)).filter(({ metadata }) => metadata.labels?.app === 'web');
    const answer = shell(name, 'asker', `timeout 30 wget -qO- http://${clusterIP}`);
    await sleep(2_000);
    // First where it leads to: a Service that leads nowhere would be refused.
    await apply(
      'b',
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: 'web', namespace: twin, labels: { 'kubernetes.io/service-name': 'web' } },
        addressType: 'IPv4',
        ports: [{ name: '', port: 8080, protocol: 'TCP' }],
        endpoints: [{ addresses: [web?.status?.podIP], conditions: { ready: true } }],
      },
      service(twin, 'web', { clusterIP, selector: undefined }),
    );
    expect(await answer).toContain('hello from pod web');
  });

  test('uses the API server of its home, as itself, unless its home does not want that', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const meta = { name: 'pods', namespace: name };
    await apply(
      'a',
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: meta,
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }],
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: meta,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'pods' },
        subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: name }],
      },
      pod(name, 'at-home', podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'a' } })),
    );
    const job = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'lists', namespace: name },
      spec: {
        backoffLimit: 0,
        template: {
          spec: {
            ...onB,
            restartPolicy: 'Never',
            containers: [
              { name: 'kubectl', image: IMAGE.replace('/demo:', '/kubectl:'), args: ['get', 'pods', '-v=2'] },
            ],
          },
        },
      },
    };
    await apply('a', job);
    await kubectl('a', ['-n', name, 'wait', 'job/lists', '--for=condition=Complete', '--timeout=50s']);
    expect((await twins('b', name)).map(({ metadata }) => metadata.name)).toEqual([expect.stringMatching(/^lists-/)]);
    const logs = await kubectl('a', ['-n', name, 'logs', 'job/lists']);
    expect(logs).toContain('at-home');
    expect(logs).toContain('lists-');
    const allow = (enabled: boolean) =>
      kubectl('a', [
        'patch',
        'federation',
        'headcut',
        '--type=merge',
        '-p',
        JSON.stringify({ spec: { homeApi: { enabled } } }),
      ]);
    await apply('a', pod(name, 'away', podSpec(onB)));
    await eventually(async () => expect(isReady(await get<Pod>('a', ['-n', name, 'pod', 'away']))).toBe(true));
    // The API server's answer to somebody who does not speak TLS.
    const ask = () => shell(name, 'away', 'timeout 5 wget -O- http://kubernetes.default.svc:443/ 2>&1 || true');
    expect(await ask()).toContain('400 Bad Request');
    try {
      await allow(false);
      await eventually(async () => expect(await ask()).not.toContain('400 Bad Request'));
    } finally {
      await allow(true);
    }
  });

  test('has what its home put there, where the provider has an object of the same name', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'first', podSpec(onB)));
    await readyPods('a', name, 1);
    const twin = await twinOf('b', name);
    const map = (namespaceThere: string, k: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', namespace: namespaceThere },
      data: { k },
    });
    await apply('b', map(twin, 'foreign'));
    const env = [{ name: 'K', valueFrom: { configMapKeyRef: { name: 'settings', key: 'k' } } }];
    await apply('a', map(name, 'own'), pod(name, 'second', podSpec(onB, { env })));
    await readyPods('a', name, 2);
    expect(await shell(name, 'second', 'echo $K')).toBe('own\n');
    expect((await get<KubeObject>('b', ['-n', twin, 'configmap', 'settings'])).data).toEqual({ k: 'foreign' });
  });
});
