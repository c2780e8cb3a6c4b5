import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import { forwardedPort, runKubectl, SPDY, sha256, startKubectl } from './kubectl-process.ts';
import {
  apply,
  eventually,
  get,
  IMAGE,
  kubectl,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  readyPods,
  twins,
} from './lab.ts';

const MIB = 1024 * 1024;

const serving = (command: string) => ['sh', '-c', command];

/** A pod with an init container, two containers, and everything that the verbs below need. */
function workbench(namespace: string, node: string): object {
  const image = IMAGE;
  return pod(namespace, 'web', {
    terminationGracePeriodSeconds: 1,
    nodeSelector: { 'kubernetes.io/hostname': node },
    initContainers: [{ name: 'first', image, command: serving('echo from the init container') }],
    containers: [
      { name: 'c', image, resources: { requests: { cpu: '10m', memory: '16Mi' } } },
      {
        name: 'other',
        image,
        stdin: true,
        command: serving('echo from the other; while read -r line; do echo "got $line"; done; sleep 3600'),
      },
    ],
  });
}

/** Open files of the agent: each stream that passes through holds some. */
async function openFiles(cluster: string): Promise<number> {
  const name = (
    await kubectl(cluster, [
      '-n',
      'headcut-system',
      'get',
      'pods',
      '-l',
      'app.kubernetes.io/name=headcut',
      '-o',
      'name',
    ])
  ).trim();
  const metrics = await kubectl(cluster, [
    'get',
    '--raw',
    `/api/v1/namespaces/headcut-system/pods/${name.replace('pod/', '')}:7444/proxy/metrics`,
  ]);
  return Number(/^headcut_process_open_fds (\d+)/m.exec(metrics)?.[1]);
}

describe.each([
  ['a', 'b'],
  ['b', 'a'],
])('kubectl on %s, for a pod that runs on %s', (home, provider) => {
  const node = `headcut-${provider}`;
  let namespace: Awaited<ReturnType<typeof offloadedNamespace>>;
  let name = '';

  const run = (args: string[], options: Parameters<typeof runKubectl>[2] = {}) =>
    runKubectl(home, ['-n', name, ...args], options);
  const out = async (args: string[], options: Parameters<typeof runKubectl>[2] = {}): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(args, options);
    expect(exitCode, stderr).toBe(0);
    return stdout.toString();
  };
  /**
   * Runs a command whose process stays until all of its output was seen here. Kubelets close the connection of a process that
   * ended, and lose what was not read yet when one of the client's pings, every five seconds, meets the closed end: of 20 runs
   * with a slow reader 10 to 15 were short on a pod of the cluster itself (kubernetes/kubernetes#60140).
   */
  const execUntilSeen = (script: string, bytes: number, env: Record<string, string> = {}) =>
    runKubectl(home, ['-n', name, 'exec', '-i', 'web', '-c', 'c', '--', 'sh', '-c', `${script}; read -r seen`], {
      env,
      inputAfter: bytes,
      input: 'seen\n',
      timeoutMs: 120_000,
    });

  const web = () => get<Pod>(home, ['-n', name, 'pod', 'web']);

  beforeAll(async () => {
    namespace = await offloadedNamespace(home);
    name = namespace.name;
    await apply(home, workbench(name, node));
    await readyPods(home, name, 1);
  });

  afterAll(async () => {
    await namespace?.[Symbol.asyncDispose]();
  });

  test('logs: of each container, with all flags', async () => {
    expect(await out(['logs', 'web', '-c', 'first'])).toBe('from the init container\n');
    expect(await out(['logs', 'web', '-c', 'other', '--limit-bytes=4'])).toBe('from');
    expect(await out(['logs', 'web', '-c', 'other', '--tail=1', '--timestamps'])).toMatch(/^\d{4}-.*Z /);
    expect(await out(['logs', 'web', '-c', 'first', '--since-time=2100-01-01T00:00:00Z'])).toBe('');
    const all = await out(['logs', '-l', 'app=web', '--all-containers', '--prefix']);
    expect(all).toContain('[pod/web/first] from the init container');
    expect(all).toContain('[pod/web/other] from the other');
    const wrong = await run(['logs', 'web', '-c', 'nobody']);
    expect([wrong.exitCode, wrong.stderr]).toEqual([1, expect.stringContaining('container nobody is not valid')]);
  });

  test.each([
    ['WebSocket', {}],
    ['SPDY', SPDY],
  ])('exec over %s: input, output, errors and exit codes', async (_protocol, env) => {
    const script = 'wc -c; echo oops >&2; exit 7';
    const result = await run(['exec', '-i', 'web', '-c', 'c', '--', 'sh', '-c', script], {
      input: Buffer.alloc(MIB, 'x'),
      env,
    });
    expect(result).toMatchObject({ exitCode: 7, stderr: expect.stringContaining('oops') });
    expect(result.stdout.toString().trim()).toBe(String(MIB));
  });

  test.each([
    ['WebSocket', {}],
    ['SPDY', SPDY],
  ])('exec over %s: large output arrives whole', async (_protocol, env) => {
    const bytes = 64 * MIB;
    const { stdout, exitCode } = await execUntilSeen(`yes headcut | head -c ${bytes}`, bytes, env);
    expect(exitCode).toBe(0);
    expect(stdout.length).toBe(bytes);
    expect(sha256(stdout)).toBe(sha256(Buffer.alloc(bytes, 'headcut\n')));
  });

  test('attach: sees what the process says and is heard', async () => {
    await using attached = startKubectl(home, ['-n', name, 'attach', '-i', 'web', '-c', 'other']);
    let text = '';
    attached.stdout.on('data', (chunk: Buffer) => {
      text += String(chunk);
    });
    // What is written before the streams are joined reaches the process too, once they are.
    attached.stdin.write('hello\n');
    await eventually(async () => expect(text).toContain('got hello'));
  });

  test('cp: both ways, unchanged', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'headcut-cp-'));
    try {
      const data = Buffer.alloc(20 * MIB, 'some data that is copied\n');
      writeFileSync(join(folder, 'there'), data);
      await out(['cp', join(folder, 'there'), 'web:/tmp/copy', '-c', 'c']);
      await out(['cp', 'web:/tmp/copy', join(folder, 'back'), '-c', 'c']);
      expect(sha256(readFileSync(join(folder, 'back')))).toBe(sha256(data));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.each([
    ['WebSocket', {}],
    ['SPDY', SPDY],
  ])('port-forward over %s: many streams at once', async (_protocol, env) => {
    await using forward = startKubectl(home, ['-n', name, 'port-forward', 'pod/web', ':8080'], env);
    const url = `http://127.0.0.1:${await forwardedPort(forward)}`;
    const answers = await Promise.all(Array.from({ length: 20 }, async () => (await fetch(url)).text()));
    expect(new Set(answers)).toEqual(new Set([expect.stringContaining('hello from pod web')]));
  });

  test('port-forward: a large transfer arrives whole, also after the sender closed its half', async () => {
    const bytes = 16 * MIB;
    await out(['exec', 'web', '-c', 'c', '--', 'sh', '-c', '(nc -l -p 9000 -e cat >/dev/null 2>&1 &)']);
    await using forward = startKubectl(home, ['-n', name, 'port-forward', 'pod/web', ':9000']);
    const socket = connect({ port: await forwardedPort(forward), host: '127.0.0.1', allowHalfOpen: true });
    const received: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.end(Buffer.alloc(bytes, 'half'));
    await once(socket, 'end');
    socket.destroy();
    expect(Buffer.concat(received).length).toBe(bytes);
  });

  test('debug: an ephemeral container, with its logs', async () => {
    const script = 'echo from the debugger; sleep 3600';
    const debug = ['debug', 'web', `--image=${IMAGE}`, '--profile=baseline', '-c', 'debugger', '--target=c'];
    await out([...debug, '--', 'sh', '-c', script]);
    await eventually(async () => expect(await out(['logs', 'web', '-c', 'debugger'])).toBe('from the debugger\n'));
    expect(await out(['exec', 'web', '-c', 'debugger', '--', 'echo', 'inside'])).toBe('inside\n');
  });

  test('debug: what the provider forbids is said in an event', async () => {
    const privileged = { name: 'root', image: IMAGE, securityContext: { privileged: true } };
    const patch = JSON.stringify({ spec: { ephemeralContainers: [privileged] } });
    await apply(home, pod(name, 'refused', podSpec({ nodeSelector: { 'kubernetes.io/hostname': node } })));
    await out(['wait', 'pod/refused', '--for=condition=Ready', '--timeout=50s']);
    await out(['patch', 'pod', 'refused', '--subresource=ephemeralcontainers', '-p', patch]);
    await eventually(async () => {
      const described = await out(['describe', 'pod', 'refused']);
      expect(described).toMatch(/ChangeRefused.*privileged/);
    });
  });

  test('label, annotate, set image: reach the pod where it runs', async () => {
    await out(['label', 'pod', 'web', 'tier=front']);
    await out(['annotate', 'pod', 'web', 'note=hello']);
    const twin = async () => (await twins(provider, name)).find((one) => one.metadata.name === 'web');
    await eventually(async () => {
      const { labels, annotations } = (await twin())?.metadata ?? {};
      expect([labels?.tier, annotations?.note]).toEqual(['front', 'hello']);
    });
    await out(['label', 'pod', 'web', 'tier-']);
    await eventually(async () => expect((await twin())?.metadata.labels).not.toHaveProperty('tier'));
  });

  test('patch --subresource resize: the container has the new share without a restart', async () => {
    const resources = { requests: { cpu: '25m', memory: '16Mi' } };
    const patch = JSON.stringify({ spec: { containers: [{ name: 'c', resources }] } });
    await out(['patch', 'pod', 'web', '--subresource=resize', '-p', patch]);
    await eventually(async () => {
      const status = (await web()).status?.containerStatuses?.find((one) => one.name === 'c');
      expect(status).toMatchObject({ resources, restartCount: 0 });
      expect((await web()).status?.conditions?.map((one) => one.type)).not.toContain('PodResizeInProgress');
    });
  });

  test('wait and describe: conditions, and warnings of the provider', async () => {
    await out(['wait', 'pod/web', '--for=condition=Ready', '--timeout=10s']);
    const probe = { exec: { command: ['false'] }, periodSeconds: 1 };
    const spec = podSpec({ nodeSelector: { 'kubernetes.io/hostname': node } }, { readinessProbe: probe });
    await apply(home, pod(name, 'unready', spec));
    await eventually(async () =>
      expect(await out(['describe', 'pod', 'unready'])).toMatch(/Unhealthy.*Readiness probe/),
    );
  });

  test('get --raw of the node: its pods, what runs, and what they use', async () => {
    const raw = async (path: string) => out(['get', '--raw', `/api/v1/nodes/${node}/proxy/${path}`]);
    for (const path of ['pods', 'runningpods/']) expect(await raw(path)).toContain(`"namespace":"${name}"`);
    await eventually(async () => {
      const summary = JSON.parse(await raw('stats/summary')) as {
        node: { nodeName: string };
        pods: { podRef: { name: string; namespace: string }; containers: { name: string }[]; network?: object }[];
      };
      expect(summary.node.nodeName).toBe(node);
      const ours = summary.pods.find(({ podRef }) => podRef.namespace === name && podRef.name === 'web');
      expect(ours?.containers.map((one) => one.name)).toEqual(expect.arrayContaining(['c', 'other']));
      expect(ours?.network).toBeDefined();
      expect(JSON.stringify(summary)).not.toContain('headcut-system');
      expect(await raw('metrics/resource')).toContain(
        `container_memory_working_set_bytes{container="c",namespace="${name}",pod="web"}`,
      );
    });
  });

  test('top: pods and the node', async () => {
    await eventually(async () => {
      expect(await out(['top', 'pod', 'web', '--containers'])).toMatch(/web +other +\d+m +\d+Mi/);
      expect(await out(['top', 'node', node])).toMatch(new RegExp(`${node} +\\d+m`));
    }, 90_000);
  });

  test('100 exec at once; a client that goes away leaves nothing open on either side', async () => {
    const before = [await openFiles(home), await openFiles(provider)];
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) => run(['exec', 'web', '-c', 'c', '--', 'echo', String(index)])),
    );
    expect(answers.map(({ stdout }) => stdout.toString().trim())).toEqual(answers.map((_, index) => String(index)));
    const children = Array.from({ length: 10 }, () =>
      startKubectl(home, ['-n', name, 'exec', 'web', '-c', 'c', '--', 'sh', '-c', 'echo up; sleep 30']),
    );
    await Promise.all(children.map((child) => once(child.stdout, 'data')));
    const during = [await openFiles(home), await openFiles(provider)];
    for (const child of children) child.kill('SIGKILL');
    await eventually(async () => {
      const after = [await openFiles(home), await openFiles(provider)];
      for (const [side, count] of after.entries()) {
        expect(count).toBeLessThanOrEqual((during[side] ?? 0) - children.length);
        expect(count).toBeLessThan((before[side] ?? 0) + children.length);
      }
    }, 60_000);
  });

  test('its port on the node serves nobody without credentials or rights', async () => {
    const { status } = await get<
      { status: { addresses: { address: string }[]; daemonEndpoints: { kubeletEndpoint: { Port: number } } } } & Pod
    >(home, ['node', node]);
    const origin = `https://${status.addresses[0]?.address}:${status.daemonEndpoints.kubeletEndpoint.Port}`;
    await kubectl(home, ['-n', name, 'create', 'serviceaccount', 'reader']);
    const rules = ['create', 'clusterrole', `${name}-reader`, '--verb=get', '--resource=nodes/metrics'];
    await kubectl(home, rules);
    try {
      const token = (await kubectl(home, ['-n', name, 'create', 'token', 'reader'])).trim();
      const ask = async (path: string, headers: string[] = []) => {
        const { stdout } = await runCurl([...headers.flatMap((one) => ['-H', one]), `${origin}${path}`]);
        return stdout.trim().slice(-3);
      };
      const known = [`Authorization: Bearer ${token}`];
      const paths = [
        '/pods',
        '/metrics/resource',
        `/containerLogs/${name}/web/c`,
        `/exec/${name}/web/c?command=id&output=1`,
      ];
      for (const path of paths) {
        expect(await ask(path), path).toBe('401');
        expect(await ask(path, ['Authorization: Bearer forged']), path).toBe('401');
        expect(await ask(path, ['X-Remote-User: system:masters', 'X-Remote-Group: system:masters']), path).toBe('401');
        expect(await ask(path, known), path).toBe('403');
      }
      const bind = ['create', 'clusterrolebinding', `${name}-reader`, `--clusterrole=${name}-reader`];
      await kubectl(home, [...bind, `--serviceaccount=${name}:reader`]);
      // A refusal is remembered for ten seconds.
      await eventually(async () => expect(await ask('/metrics/resource', known)).toBe('200'));
      expect(await ask(`/containerLogs/${name}/web/c`, known)).toBe('403');
    } finally {
      await kubectl(home, ['delete', 'clusterrole,clusterrolebinding', `${name}-reader`, '--ignore-not-found']);
    }
  });
});

test('an autoscaler scales an offloaded Deployment by what its pods use elsewhere', async () => {
  await using namespace = await offloadedNamespace('a');
  const { name } = namespace;
  const busy = podSpec(
    { nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } },
    { command: serving('while :; do :; done'), resources: { requests: { cpu: '10m' }, limits: { cpu: '50m' } } },
  );
  const labels = { app: 'busy' };
  await apply(
    'a',
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'busy', namespace: name },
      spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: busy } },
    },
    {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'busy', namespace: name },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'busy' },
        minReplicas: 1,
        maxReplicas: 2,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
        ],
      },
    },
  );
  await eventually(async () => {
    const pods = await list<Pod>('a', ['-n', name, 'pods']);
    expect(pods.filter((one) => one.status?.phase === 'Running')).toHaveLength(2);
  }, 120_000);
});

function runCurl(args: string[]): Promise<{ stdout: string }> {
  return promisify(execFile)('curl', ['-sk', '--max-time', '20', '-w', '\n%{http_code}', ...args]);
}
