import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../src/core/kube-objects.ts';
import type { FederationObject, PeerObject } from '../../src/core/membership/peer-object.ts';
import { fault } from './faults.ts';
import {
  apply,
  evenDeployment,
  eventually,
  get,
  inNetworkOf,
  kubectl,
  list,
  offloadedNamespace,
  pod,
  podSpec,
  readyPods,
  restartAgents,
  twins,
} from './lab.ts';
import { imagesOf } from './members.ts';

const run = promisify(execFile);

/** IP header 20, ICMP header 8. */
const PING_OVERHEAD_BYTES = 28;
const TUNNEL_MTU = 1420;

const clusters = (
  await Promise.all(
    ['a', 'b', 'c'].map((cluster) =>
      kubectl(cluster, ['get', 'federation', 'headcut']).then(
        () => [cluster],
        () => [],
      ),
    ),
  )
).flat();

const addressOf = ({ status }: Pod): string => status?.podIP ?? '';

/** All pods have an address that can be reached; gives them. */
async function addressedPods(cluster: string, namespace: string, replicas: number): Promise<Pod[]> {
  let pods: Pod[] = [];
  await readyPods(cluster, namespace, replicas);
  await eventually(async () => {
    pods = await list<Pod>(cluster, ['-n', namespace, 'pods']);
    expect(pods.filter((pod) => addressOf(pod) !== '')).toHaveLength(replicas);
  });
  return pods;
}

function fetchFrom(cluster: string, pod: Pod, address: string): Promise<string> {
  const { namespace = '', name } = pod.metadata;
  return kubectl(cluster, ['-n', namespace, 'exec', name, '--', 'wget', '-qO-', `http://${address}:8080/`]);
}

/** A process of a pod on this machine, by the host name in its environment. */
async function processOf(pod: Pod): Promise<string> {
  for (const pid of await readdir('/proc')) {
    const environment = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '') : '';
    if (environment.split('\0').includes(`HOSTNAME=${pod.metadata.name}`)) return pid;
  }
  throw new Error(`no process of pod ${pod.metadata.name} runs here`);
}

/** Sends packets that must not be fragmented; true when all were answered. */
async function pingsWhole(from: Pod, to: string, packetBytes: number): Promise<{ ok: boolean; output: string }> {
  const ping = [
    'ping',
    '-n',
    '-c',
    '3',
    '-i',
    '0.2',
    '-W',
    '2',
    '-M',
    'do',
    '-s',
    String(packetBytes - PING_OVERHEAD_BYTES),
    to,
  ];
  const target = ['--target', await processOf(from), '--net'];
  return run('nsenter', [...target, ...ping]).then(
    ({ stdout }) => ({ ok: stdout.includes(' 0% packet loss'), output: stdout }),
    ({ stdout, stderr }: { stdout: string; stderr: string }) => ({ ok: false, output: stdout + stderr }),
  );
}

async function pathAt(cluster: string, peer: string): Promise<string | null | undefined> {
  return (await get<PeerObject>(cluster, ['peer', peer])).status?.network?.path;
}

describe('the pod network', () => {
  test.each(clusters)('lets pods on %s reach every pod by the address that kubectl shows there', async (cluster) => {
    await using namespace = await offloadedNamespace(cluster);
    await apply(cluster, evenDeployment(namespace.name, 'net', 2 * clusters.length));
    const pods = await addressedPods(cluster, namespace.name, 2 * clusters.length);
    const from = pods.find((pod) => pod.spec.nodeName === cluster);
    expect(from).toBeDefined();
    const answers = await Promise.all(pods.map((pod) => fetchFrom(cluster, from as Pod, addressOf(pod))));
    for (const [index, pod] of pods.entries()) expect(answers[index]).toContain(pod.metadata.name);
  });

  test('lets offloaded pods reach each other without a detour, also neighbours by the addresses that others know', async () => {
    await using namespace = await offloadedNamespace('a');
    await apply('a', evenDeployment(namespace.name, 'net', 3 * clusters.length));
    const pods = await addressedPods('a', namespace.name, 3 * clusters.length);
    const away = pods.filter((pod) => pod.spec.nodeName !== 'a');
    for (const from of away)
      for (const to of away) expect(await fetchFrom('a', from, addressOf(to))).toContain(to.metadata.name);
  });

  test('takes whole packets up to its size, and says of larger ones that they are too large', async () => {
    await using namespace = await offloadedNamespace('a');
    await apply('a', evenDeployment(namespace.name, 'net', 2 * clusters.length));
    const pods = await addressedPods('a', namespace.name, 2 * clusters.length);
    const from = pods.find((pod) => pod.spec.nodeName === 'a') as Pod;
    for (const to of pods.filter((pod) => pod.spec.nodeName !== 'a')) {
      // The first packets to a new pod may be faster than the news of it, and are dropped.
      await eventually(async () => expect(await pingsWhole(from, addressOf(to), 500)).toMatchObject({ ok: true }));
      expect(await pingsWhole(from, addressOf(to), TUNNEL_MTU)).toMatchObject({ ok: true });
      const larger = await pingsWhole(from, addressOf(to), TUNNEL_MTU + 1);
      expect(larger.ok).toBe(false);
      expect(larger.output).toMatch(/[Ff]rag needed|message too long|mtu ?= ?1420/);
    }
  });

  test('goes on over TLS within 10 s when UDP is blocked, and returns within 30 s', async () => {
    await using namespace = await offloadedNamespace('a');
    await apply('a', evenDeployment(namespace.name, 'net', 2 * clusters.length));
    const pods = await addressedPods('a', namespace.name, 2 * clusters.length);
    const from = pods.find((pod) => pod.spec.nodeName === 'a') as Pod;
    const to = pods.find((pod) => pod.spec.nodeName === 'headcut-b') as Pod;
    await eventually(async () => expect(await pathAt('a', 'b')).toBe('UDP'));
    await using blocked = await fault('block-udp b');
    const reached = (): Promise<void> =>
      pingsWhole(from, addressOf(to), 500).then(({ output }) => expect(output).toContain(' 0% packet loss'));
    await sleep(1_000);
    await expect(reached()).rejects.toThrow();
    await eventually(reached, 9_000);
    await eventually(async () => expect(await pathAt('a', 'b')).toBe('TLS'), 5_000);
    await eventually(async () => expect(await pathAt('b', 'a')).toBe('TLS'), 5_000);
    const whole = await pingsWhole(from, addressOf(to), TUNNEL_MTU);
    expect(whole).toMatchObject({ ok: true });
    await blocked.end();
    await eventually(async () => expect(await pathAt('a', 'b')).toBe('UDP'), 30_000);
    await reached();
  });

  test('keeps connections between pods over restarts of both agents', async () => {
    await using namespace = await offloadedNamespace('a');
    await apply('a', evenDeployment(namespace.name, 'net', 2 * clusters.length));
    const pods = await addressedPods('a', namespace.name, 2 * clusters.length);
    const from = pods.find((pod) => pod.spec.nodeName === 'a') as Pod;
    const to = pods.find((pod) => pod.spec.nodeName === 'headcut-b') as Pod;
    const twin = (await twins('b', namespace.name)).find((pod) => pod.metadata.name === to.metadata.name) as Pod;
    const at = (pod: Pod): string[] => [
      '-n',
      pod.metadata.namespace ?? '',
      'exec',
      pod.metadata.name,
      '--',
      'sh',
      '-c',
    ];
    const echo = kubectl('b', [...at(twin), 'nc -l -p 9000 -e cat']).catch(() => '');
    await sleep(1_000);
    const lines = 'for i in $(seq 1 50); do echo line $i; sleep 0.5; done';
    const talk = kubectl('a', [...at(from), `(${lines}) | nc ${addressOf(to)} 9000`]);
    await sleep(2_000);
    await restartAgents('a', 'b');
    const answered = (await talk).trim().split('\n');
    expect(answered).toHaveLength(50);
    await echo;
  });

  test('leaves nothing on the node when it is switched off, and gives the same addresses when it is on again', async () => {
    await using namespace = await offloadedNamespace('a');
    await apply('a', evenDeployment(namespace.name, 'net', 2 * clusters.length));
    const before = await addressedPods('a', namespace.name, 2 * clusters.length);
    const onB = (pods: Pod[]): (string | undefined)[] =>
      pods.filter((pod) => pod.spec.nodeName === 'headcut-b').map(({ status }) => status?.podIP);
    const setEnabled = (enabled: boolean) =>
      kubectl('b', [
        'patch',
        'federation',
        'headcut',
        '--type=merge',
        '-p',
        JSON.stringify({ spec: { network: { enabled } } }),
      ]);
    try {
      await setEnabled(false);
      await eventually(async () => {
        expect(onB(await list<Pod>('a', ['-n', namespace.name, 'pods'])).every((ip) => ip === undefined)).toBe(true);
        const { status } = await get<FederationObject>('b', ['federation', 'headcut']);
        expect(status?.conditions?.find((one) => one.type === 'NetworkReady')).toMatchObject({ reason: 'Disabled' });
      });
      expect(await inNetworkOf('b', ['nft', 'list', 'tables'])).not.toContain('headcut');
      expect(await inNetworkOf('b', ['ip', 'link'])).not.toContain('headcut0');
      expect(await inNetworkOf('b', ['ip', 'route', 'show', 'table', 'all'])).not.toMatch(
        /headcut0|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./,
      );
    } finally {
      await setEnabled(true);
    }
    await eventually(async () =>
      expect(onB(await list<Pod>('a', ['-n', namespace.name, 'pods']))).toEqual(onB(before)),
    );
    const pods = await readyPods('a', namespace.name, 2 * clusters.length);
    const from = pods.find((pod) => pod.spec.nodeName === 'a') as Pod;
    const to = pods.find((pod) => pod.spec.nodeName === 'headcut-b') as Pod;
    await eventually(async () => expect(await fetchFrom('a', from, addressOf(to))).toContain(to.metadata.name));
  });

  test('keeps peers away from pods that are none of their business, unless all are to be reached', async () => {
    const name = `e2e-private-${process.pid}`;
    const setReachable = (reachable: string) =>
      kubectl('b', [
        'patch',
        'federation',
        'headcut',
        '--type=merge',
        '-p',
        JSON.stringify({ spec: { network: { reachable } } }),
      ]);
    await apply('b', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, pod(name, 'private', podSpec()));
    try {
      await kubectl('b', ['-n', name, 'wait', 'pod/private', '--for=condition=Ready', '--timeout=60s']);
      const local = addressOf(await get<Pod>('b', ['-n', name, 'pod', 'private']));
      const image = `${await imagesOf('b')}.${local.split('.')[3]}`;
      const connect = ['socat', '-u', 'OPEN:/dev/null', `TCP4:${image}:8080,connect-timeout=2`];
      await expect(inNetworkOf('a', connect)).rejects.toThrow();
      await setReachable('All');
      await eventually(async () => void (await inNetworkOf('a', connect)));
    } finally {
      await setReachable('Offloaded');
      await kubectl('b', ['delete', 'namespace', name, '--wait=false']);
    }
  });

  test('keeps peers away from everything on the node but pods', async () => {
    const network = await imagesOf('b');
    // The node's address in the tunnel, and the image of the bridge's: the kubelet's port is open on both.
    for (const address of [`${network}.0`, `${network}.1`]) {
      const connect = ['socat', '-u', 'OPEN:/dev/null', `TCP4:${address}:10250,connect-timeout=2`];
      await expect(inNetworkOf('a', connect)).rejects.toThrow();
      await inNetworkOf('b', connect);
    }
  });
});
