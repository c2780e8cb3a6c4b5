import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/core/kube-objects.ts';
import {
  apply,
  countByNode,
  cutOff,
  deployment,
  eventually,
  fingerprints,
  get,
  IMAGE,
  isReady,
  kubectl,
  kubectlOnTerminal,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  readyPods,
  restartAgents,
  twins,
} from './lab.ts';

const onB = { nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } };

describe('members', () => {
  test.each(['a', 'b', 'c'])('%s shows itself and a Ready virtual node for each other member', async (cluster) => {
    const others = ['a', 'b', 'c'].filter((one) => one !== cluster).map((one) => `headcut-${one}`);
    await eventually(async () => {
      const nodes = await list<Node>(cluster, ['nodes']);
      expect(
        nodes
          .filter(isReady)
          .map((node) => node.metadata.name)
          .sort(),
      ).toEqual([cluster, ...others].sort());
    });
  });
});

describe('a Deployment in a labelled namespace', () => {
  test.each([
    ['a', { a: 2, 'headcut-b': 2, 'headcut-c': 2 }],
    ['c', { c: 2, 'headcut-a': 2, 'headcut-b': 2 }],
  ])(
    'made on %s spreads evenly, really runs on the peers, and leaves nothing when scaled to 0',
    async (home, expected) => {
      await using namespace = await offloadedNamespace(home);
      const { name } = namespace;
      await apply(home, deployment(name, 'web', 6));
      const pods = await readyPods(home, name, 6);
      expect(countByNode(pods)).toEqual(expected);
      const peers = Object.keys(expected).flatMap((node) => (node.startsWith('headcut-') ? [node.slice(8)] : []));
      for (const peer of peers) {
        const real = await twins(peer, name);
        expect(real.filter(isReady)).toHaveLength(2);
        expect(real.map((one) => one.spec.nodeName)).toEqual([peer, peer]);
      }
      await kubectl(home, ['-n', name, 'scale', 'deployment/web', '--replicas=0']);
      await eventually(async () => {
        expect(await list(home, ['-n', name, 'pods'])).toEqual([]);
        for (const peer of peers) {
          expect(await twins(peer, name)).toEqual([]);
          expect(await list(peer, ['shadowpods', '-A', '-l', `headcut.dev/origin-namespace=${name}`])).toEqual([]);
        }
      });
    },
  );
});

test('an Offloading object in a namespace does what the label does', async () => {
  await using namespace = await offloadedNamespace('b');
  const { name } = namespace;
  await kubectl('b', ['label', 'namespace', name, 'headcut.dev/offload-']);
  await apply('b', {
    apiVersion: 'headcut.dev/v1alpha1',
    kind: 'Offloading',
    metadata: { name: 'offloading', namespace: name },
    spec: {},
  });
  // The API server's admission looks at such objects through a cache.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  await apply('b', deployment(name, 'web', 3));
  expect(countByNode(await readyPods('b', name, 3))).toEqual({ b: 1, 'headcut-a': 1, 'headcut-c': 1 });
});

describe('an offloaded pod', () => {
  test('answers logs and exec, and shows the address that it has between clusters', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'web', podSpec(onB)));
    await readyPods('a', name, 1);
    await eventually(async () => {
      const [web] = await list<Pod>('a', ['-n', name, 'pods']);
      expect(web?.status?.podIP).toMatch(/^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d+\.\d+$/);
    });
    expect(await kubectl('a', ['-n', name, 'logs', 'web'])).toContain('web');
    expect(await kubectl('a', ['-n', name, 'exec', 'web', '--', 'sh', '-c', 'hostname'])).toBe('web\n');
    await expect(kubectl('a', ['-n', name, 'exec', 'web', '--', 'sh', '-c', 'exit 3'])).rejects.toThrow(/exit code 3/);
  });

  test('shows a part of its logs, those of the run before, and those to come', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const script =
      'echo run; for i in 1 2 3; do echo line $i; done; until test -e /tmp/go; do sleep 1; done; echo end; exit 1';
    await apply('a', pod(name, 'web', podSpec(onB, { command: ['sh', '-c', script] })));
    await readyPods('a', name, 1);
    const logs = (...flags: string[]) => kubectl('a', ['-n', name, 'logs', 'web', ...flags]);
    expect(await logs('--tail=2')).toBe('line 2\nline 3\n');
    // What was said until now is older than --since.
    await sleep(2_000);
    const following = logs('-f', '--since=1s');
    await kubectl('a', ['-n', name, 'exec', 'web', '--', 'touch', '/tmp/go']);
    expect(await following).toBe('end\n');
    await eventually(async () => expect(await logs('--previous', '--tail=1')).toBe('end\n'));
  });

  test('takes commands from a terminal', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'web', podSpec(onB)));
    await readyPods('a', name, 1);
    const shell = ['-n', name, 'exec', '-it', 'web', '--', 'sh'];
    expect(await kubectlOnTerminal('a', shell, 'test -t 0 && echo on a $((1 + 1))-way terminal; exit\n')).toContain(
      'on a 2-way terminal',
    );
  });

  test('has init containers, sidecars, probes, projected volumes, emptyDirs, a security context, pull secrets', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const shared = { name: 'shared', mountPath: '/shared' };
    const image = IMAGE;
    const auth = Buffer.from(JSON.stringify({ auths: { 'example.com': { auth: 'eDp5' } } })).toString('base64');
    await apply(
      'a',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: name }, data: { k: 'one' } },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'pull', namespace: name },
        type: 'kubernetes.io/dockerconfigjson',
        data: { '.dockerconfigjson': auth },
      },
      pod(
        name,
        'web',
        podSpec(
          {
            ...onB,
            imagePullSecrets: [{ name: 'pull' }],
            securityContext: { runAsUser: 1234, fsGroup: 4321 },
            initContainers: [
              { name: 'first', image, command: ['sh', '-c', 'echo first > /shared/log'], volumeMounts: [shared] },
              {
                name: 'sidecar',
                image,
                restartPolicy: 'Always',
                command: ['sh', '-c', 'echo sidecar >> /shared/log; sleep 3; touch /shared/ready; sleep 3600'],
                volumeMounts: [shared],
              },
            ],
            volumes: [
              { name: 'shared', emptyDir: {} },
              {
                name: 'all',
                projected: {
                  sources: [
                    { configMap: { name: 'settings' } },
                    { downwardAPI: { items: [{ path: 'app', fieldRef: { fieldPath: "metadata.labels['app']" } }] } },
                  ],
                },
              },
            ],
          },
          {
            volumeMounts: [shared, { name: 'all', mountPath: '/all' }],
            readinessProbe: { exec: { command: ['test', '-e', '/shared/ready'] }, periodSeconds: 1 },
          },
        ),
      ),
    );
    await eventually(async () => {
      const [web] = await list<Pod>('a', ['-n', name, 'pods']);
      expect(web?.status?.phase).toBe('Running');
      expect(isReady(web as Pod)).toBe(false);
    });
    await readyPods('a', name, 1);
    const read = 'cat /shared/log /all/k /all/app; echo; id -u; id -G';
    expect(await kubectl('a', ['-n', name, 'exec', 'web', '-c', 'c', '--', 'sh', '-c', read])).toMatch(
      /^first\nsidecar\noneweb\n1234\n.*4321/,
    );
    const [twin] = await twins('b', name);
    expect(twin?.spec.imagePullSecrets).toEqual([{ name: 'headcut-home.pull' }]);
    const copy = ['get', 'secret', 'headcut-home.pull', '-o', 'name'];
    expect(await kubectl('b', ['-n', twin?.metadata.namespace ?? '', ...copy])).toBe('secret/headcut-home.pull\n');
  });

  test('has its ConfigMaps, Secrets, downward API and home credentials, and changes of them follow', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const variable = (fieldPath: string) => ({ valueFrom: { fieldRef: { fieldPath } } });
    const env = [
      { name: 'NS', ...variable('metadata.namespace') },
      { name: 'NODE', ...variable('spec.nodeName') },
      { name: 'S', valueFrom: { secretKeyRef: { name: 'credentials', key: 's' } } },
    ];
    await apply(
      'a',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: name }, data: { k: 'one' } },
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'credentials', namespace: name },
        stringData: { s: 'secret' },
      },
      pod(
        name,
        'web',
        podSpec(
          { ...onB, volumes: [{ name: 'v', configMap: { name: 'settings' } }] },
          { env, volumeMounts: [{ name: 'v', mountPath: '/v' }] },
        ),
      ),
    );
    await readyPods('a', name, 1);
    const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
    const read = `echo $NS $NODE $S $(cat /v/k) $(cat ${folder}/namespace); cut -d. -f2 ${folder}/token`;
    const [line, claims = ''] = (await kubectl('a', ['-n', name, 'exec', 'web', '--', 'sh', '-c', read])).split('\n');
    expect(line).toBe(`${name} headcut-b secret one ${name}`);
    const token = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as {
      'kubernetes.io': { pod: { name: string } };
    };
    expect(token['kubernetes.io'].pod.name).toBe('web');
    await kubectl('a', ['-n', name, 'patch', 'configmap', 'settings', '-p', '{"data":{"k":"two"}}']);
    await eventually(async () => {
      const [twin] = await twins('b', name);
      const copy = await get<Pod & { data: object }>('b', [
        '-n',
        twin?.metadata.namespace ?? '',
        'configmap',
        'headcut-home.settings',
      ]);
      expect(copy.data).toEqual({ k: 'two' });
    });
  });

  test('and all others are not touched by restarts of the agents on both sides', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', deployment(name, 'web', 3));
    const before = fingerprints(await readyPods('a', name, 3));
    const realBefore = fingerprints([...(await twins('b', name)), ...(await twins('c', name))]);
    await restartAgents('a', 'b');
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    expect(fingerprints(await readyPods('a', name, 3))).toEqual(before);
    expect(fingerprints([...(await twins('b', name)), ...(await twins('c', name))])).toEqual(realBefore);
  });

  test('that is deleted by force is removed from the provider too', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'web', podSpec(onB)));
    await readyPods('a', name, 1);
    await kubectl('a', ['-n', name, 'delete', 'pod', 'web', '--grace-period=0', '--force']);
    await eventually(async () => expect(await twins('b', name)).toEqual([]));
  });

  test('whose image cannot be pulled says why', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'web', podSpec(onB, { image: '127.0.0.1:1/nothing:1' })));
    await eventually(async () => {
      const [web] = await list<Pod>('a', ['-n', name, 'pods']);
      expect(web?.status?.containerStatuses?.[0]?.state?.waiting?.reason).toMatch(/ImagePull/);
      expect(await kubectl('a', ['-n', name, 'get', 'events'])).toContain('127.0.0.1:1');
    });
  });
});

describe('what must not be offloaded', () => {
  test('runs at home: a privileged pod', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'web', podSpec({}, { securityContext: { privileged: true } })));
    const [web] = await readyPods('a', name, 1);
    expect(web?.spec.nodeName).toBe('a');
  });

  test('is refused with the reason, without a loop of writes: a privileged pod bound by hand', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'web', podSpec({ nodeName: 'headcut-b' }, { securityContext: { privileged: true } })));
    const read = () => get<Pod>('a', ['-n', name, 'pod', 'web']);
    await eventually(async () => expect((await read()).status?.reason).toBe('RefusedByProvider'));
    const refused = await read();
    expect(refused.status).toMatchObject({ phase: 'Pending', message: expect.stringContaining('privileged') });
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    expect((await read()).metadata.resourceVersion).toBe(refused.metadata.resourceVersion);
  });

  test('stays Pending with a truthful reason: a pod that is larger than every member', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    await apply('a', pod(name, 'big', podSpec({}, { resources: { requests: { cpu: '64' } } })));
    await eventually(async () => {
      const [big] = await list<Pod>('a', ['-n', name, 'pods']);
      expect(big?.status?.conditions?.find((one) => one.type === 'PodScheduled')?.message).toContain(
        'Insufficient cpu',
      );
      expect(big?.spec.nodeName).toBeUndefined();
    });
  });

  test('gets no pod on a virtual node: a DaemonSet that tolerates everything', async () => {
    await using namespace = await offloadedNamespace('a');
    const { name } = namespace;
    const { spec, ...rest } = deployment(name, 'agent', 1, podSpec({ tolerations: [{ operator: 'Exists' }] })) as {
      spec: Record<string, unknown>;
    };
    delete spec.replicas;
    await apply('a', { ...rest, kind: 'DaemonSet', spec });
    const pods = await readyPods('a', name, 1);
    expect(countByNode(pods)).toEqual({ a: 1 });
  });
});

test('two consumers that fill the same provider at once never make it run more than it has', async () => {
  await using ofA = await offloadedNamespace('a');
  await using ofB = await offloadedNamespace('b');
  const { status } = await get<Node>('c', ['node', 'c']);
  const half = Math.floor(Number(status?.allocatable?.cpu ?? '2') / 2);
  const spec = podSpec({}, { resources: { requests: { cpu: '300m' } } });
  const replicas = half * 8;
  await Promise.all([
    apply('a', deployment(ofA.name, 'fill', replicas, spec)),
    apply('b', deployment(ofB.name, 'fill', replicas, spec)),
  ]);
  await eventually(async () => {
    for (const [cluster, namespace] of [
      ['a', ofA.name],
      ['b', ofB.name],
    ] as const) {
      const pods = (await list<Pod>(cluster, ['-n', namespace, 'pods'])).filter(
        (one) => one.status?.phase !== 'Failed',
      );
      expect(pods).toHaveLength(replicas);
      for (const one of pods.filter((other) => other.status?.phase !== 'Running')) {
        expect(one.status?.conditions?.find((condition) => condition.type === 'PodScheduled')?.message).toContain(
          'Insufficient cpu',
        );
      }
    }
  }, 60_000);
  const running = [...(await twins('c', ofA.name)), ...(await twins('c', ofB.name))].filter(
    (one) => one.status?.phase === 'Running',
  );
  expect(running.length).toBeGreaterThan(0);
  expect(running.length * 300).toBeLessThanOrEqual(Number(status?.allocatable?.cpu) * 1000);
});

test('a Job completes, and its pods stay completed after both agents restart', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const template = { spec: podSpec({ restartPolicy: 'Never' }, { command: ['sh', '-c', 'echo done'] }) };
  await apply('a', {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'job', namespace: name },
    spec: { completions: 5, parallelism: 5, template },
  });
  await kubectl('a', ['-n', name, 'wait', 'job/job', '--for=condition=Complete', '--timeout=50s']);
  const before = await list<Pod>('a', ['-n', name, 'pods']);
  expect(Object.keys(countByNode(before)).length).toBeGreaterThan(1);
  await restartAgents('a', 'b', 'c');
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const after = await list<Pod>('a', ['-n', name, 'pods']);
  expect(after.map((one) => `${one.metadata.uid} ${one.status?.phase}`).sort()).toEqual(
    before.map((one) => `${one.metadata.uid} Succeeded`).sort(),
  );
});

test('replicas of a member whose link is cut are made anew elsewhere; it then takes its superseded copies away', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  await apply('a', deployment(name, 'web', 3));
  const before = fingerprints((await readyPods('a', name, 3)).filter((one) => one.spec.nodeName !== 'headcut-c'));
  const node = () => get<Node>('a', ['node', 'headcut-c']);
  const unreachable = async () =>
    (await node()).spec?.taints?.flatMap((taint) => (taint.key === 'headcut.dev/unreachable' ? [taint.effect] : []));
  {
    await using _ = await cutOff('c');
    await eventually(async () => expect(await unreachable()).toEqual(['NoSchedule']));
    const renewed = await kubectl('a', ['-n', 'kube-node-lease', 'get', 'lease', 'headcut-c', '-o', 'yaml']);
    await eventually(async () => {
      const ready = (await list<Pod>('a', ['-n', name, 'pods'])).filter(isReady);
      expect(ready.filter((one) => one.spec.nodeName !== 'headcut-c')).toHaveLength(3);
      expect(fingerprints(ready)).toEqual(expect.arrayContaining(before));
    });
    expect(await kubectl('a', ['-n', 'kube-node-lease', 'get', 'lease', 'headcut-c', '-o', 'yaml'])).toBe(renewed);
  }
  await eventually(async () => {
    expect(isReady(await node())).toBe(true);
    expect(await unreachable()).toEqual([]);
    expect(await twins('c', name)).toEqual([]);
    expect(await list('a', ['-n', name, 'pods'])).toHaveLength(3);
  }, 60_000);
});
