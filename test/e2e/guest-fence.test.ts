import { readdir, readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
import type { PeerObject } from '../../src/core/membership/peer-object.ts';
import {
  apply,
  eventually,
  get,
  inNetworkOf,
  isReady,
  kubectl,
  list,
  offloadedNamespace,
  pod,
  podSpec,
} from './lab.ts';
import { imagesOf } from './members.ts';
import { run } from './reach-lab.ts';

/** What a pod of `a` that runs on `b` reaches from there, and what of the node of `b` others reach (docs/ports.md). */

/** Tells in the network of `where` how a connection of TCP ends: `open`, or the error. */
const TRY = `const [host, port] = process.argv.slice(1);
const socket = require('net').connect({ host, port: Number(port) });
const end = (word) => { console.log(word); process.exit(); };
socket.on('connect', () => end('open')).on('error', (error) => end(error.code));
setTimeout(() => end('silent'), 2500);`;

const inNode = (cluster: string) => (argv: string[]) => inNetworkOf(cluster, argv);
const inPod = (one: Pod) => async (argv: string[]) =>
  (await run('nsenter', ['--target', await processOf(one), '--net', ...argv])).stdout;
type Where = (argv: string[]) => Promise<string>;

async function tries(where: Where, host: string, port: number): Promise<string> {
  return (await where([process.execPath, '-e', TRY, host, String(port)])).trim();
}

/** A process of a pod on this machine, by the host name in its environment. */
async function processOf({ metadata: { name } }: Pod): Promise<string> {
  for (const pid of await readdir('/proc')) {
    const environment = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '') : '';
    if (environment.split('\0').includes(`HOSTNAME=${name}`)) return pid;
  }
  throw new Error(`no process of pod ${name} runs here`);
}

const addressOf = ({ status }: Pod): string => status?.podIP ?? '';
const onB = (namespace: string, name: string, container = {}) =>
  pod(namespace, name, podSpec({ nodeSelector: { 'kubernetes.io/hostname': 'headcut-b' } }, container));

/** On `b` it is another object, whose address is that which its neighbours know. */
async function twinOf(namespace: string, name: string): Promise<Pod> {
  let found: Pod | undefined;
  await eventually(async () => {
    const pods = await list<Pod>('b', ['pods', '-A', '-l', `headcut.dev/origin-namespace=${namespace}`]);
    found = pods.find((one) => one.metadata.name === name && isReady(one));
    expect(found?.status?.podIP).toBeDefined();
  }, 60_000);
  return found as Pod;
}

async function serviceOf(
  namespace: string,
  name: string,
  spec: object,
): Promise<{ clusterIP: string; nodePort: number }> {
  const ports = [{ port: 80, targetPort: 8080 }];
  await apply('b', {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { app: 'resident' }, ports, ...spec },
  });
  type Service = KubeObject & { spec: { clusterIP: string; ports: { nodePort?: number }[] } };
  const { spec: made } = await get<Service>('b', ['-n', namespace, 'service', name]);
  return { clusterIP: made.clusterIP, nodePort: made.ports[0]?.nodePort ?? 0 };
}

const closed = /^(EHOSTUNREACH|ENETUNREACH|ECONNREFUSED|EACCES|EPERM|silent)$/;

describe('the fence of a node', () => {
  const cleanup: AsyncDisposable[] = [];
  /** The namespace at home. */
  let home: string;
  let guest: Pod;
  let neighbour: Pod;
  let resident: Pod;
  let nodeAddress: string;
  let kubeletPort: number;

  beforeAll(async () => {
    const offloaded = await offloadedNamespace('a');
    cleanup.push(offloaded);
    const { name } = offloaded;
    home = name;
    await apply('b', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `${name}-b` } });
    cleanup.push({
      [Symbol.asyncDispose]: async () =>
        void (await kubectl('b', ['delete', 'namespace', `${name}-b`, '--wait=false'])),
    });
    await apply('a', onB(name, 'guest'), onB(name, 'neighbour'));
    await apply('b', pod(`${name}-b`, 'resident', podSpec({}, { ports: [{ containerPort: 8080, hostPort: 18_080 }] })));
    [guest, neighbour] = [await twinOf(name, 'guest'), await twinOf(name, 'neighbour')];
    await eventually(async () => {
      resident = await get<Pod>('b', ['-n', `${name}-b`, 'pod', 'resident']);
      expect(isReady(resident)).toBe(true);
    }, 60_000);
    const nodes = await list<Node>('b', ['nodes']);
    nodeAddress = nodes.find(({ metadata }) => metadata.name === 'b')?.status?.addresses?.[0]?.address ?? '';
    kubeletPort = nodes.find(({ metadata }) => metadata.name === 'headcut-a')?.status?.daemonEndpoints?.kubeletEndpoint
      ?.Port as number;
    return async () => {
      for (const one of cleanup.splice(0).reverse()) await one[Symbol.asyncDispose]();
    };
  }, 180_000);

  test('closes the provider to a guest: its node, pods, Services, ports and what is around it', async () => {
    const namespace = resident.metadata.namespace ?? '';
    const inner = await serviceOf(namespace, 'inner', {});
    const outer = await serviceOf(namespace, 'outer', { type: 'NodePort' });
    const api = (await get<KubeObject & { spec: { clusterIP: string } }>('b', ['service', 'kubernetes'])).spec
      .clusterIP;
    const neighbourNode = (await list<Node>('a', ['nodes'])).find(({ metadata }) => metadata.name === 'a');
    const gateway = addressOf(guest).replace(/\d+$/, '1');
    const from = inPod(guest);
    const targets: [string, string, number][] = [
      ['a pod', addressOf(resident), 8080],
      ['a Service', inner.clusterIP, 80],
      ['the API server', api, 443],
      ['a port of a Service at the node', nodeAddress, outer.nodePort],
      ['a port of a pod at the node', nodeAddress, 18_080],
      ['the kubelet', nodeAddress, 10_250],
      ['the API server at the node', nodeAddress, 6443],
      ['the kubelet at the address of the bridge', gateway, 10_250],
      ['what the agent tells', nodeAddress, 7444],
      ['a virtual node', nodeAddress, kubeletPort],
      ['another machine around it', neighbourNode?.status?.addresses?.[0]?.address ?? '', 7443],
      ['metadata of a cloud', '169.254.169.254', 80],
      ['shared addresses', '100.100.100.200', 80],
    ];
    for (const [what, host, port] of targets)
      expect(await tries(from, host, port), `${what} ${host}:${port}`).toMatch(closed);
    // They are there for others.
    const own = inPod(resident);
    expect(await tries(own, inner.clusterIP, 80)).toBe('open');
    expect(await tries(own, nodeAddress, outer.nodePort)).toBe('open');
    expect(await tries(own, nodeAddress, 10_250)).toBe('open');
  });

  test('closes link-local addresses of IPv6 too', async () => {
    const link = await inNetworkOf('b', ['ip', '-json', '-6', 'addr', 'show', 'scope', 'link']);
    const links = JSON.parse(link) as { ifname?: string; addr_info?: { local: string }[] }[];
    const bridge = links.find(({ ifname }) => /^(cni0|kube-bridge)$/.test(ifname ?? ''));
    const address = bridge?.addr_info?.[0]?.local;
    if (address === undefined) return;
    expect(await tries(inPod(guest), `${address}%eth0`, 10_250)).toMatch(closed);
  });

  test('leaves a guest its neighbours of the same home, the federation, its names and the API server of its home', async () => {
    const from = inPod(guest);
    expect(await tries(from, `${await imagesOf('b')}.${addressOf(neighbour).split('.')[3]}`, 8080)).toBe('open');
    const demo = await list<Pod>('a', ['-n', 'demo', 'pods']);
    const atHome = demo.find(({ spec }) => spec.nodeName === 'a') as Pod;
    expect(await tries(from, `${await imagesOf('a')}.${addressOf(atHome).split('.')[3]}`, 8080)).toBe('open');
    const ask = (host: string) => kubectl('a', ['-n', home, 'exec', 'guest', '--', 'nslookup', host]);
    expect(await ask('kubernetes.default.svc.cluster.local')).toContain('Address');
    const services = await list<KubeObject & { spec: { clusterIP: string } }>('b', [
      'services',
      '-n',
      'headcut-system',
    ]);
    const gate = services.find(({ metadata }) => metadata.name === 'headcut-home-api');
    expect(await tries(from, gate?.spec.clusterIP ?? '', 443)).toBe('open');
  });

  test('lets the provider, its pods and its kubelet reach a guest', async () => {
    expect(await tries(inNode('b'), addressOf(guest), 8080)).toBe('open');
    expect(await tries(inPod(resident), addressOf(guest), 8080)).toBe('open');
  });

  test('opens what the owner opens, and closes it again', async () => {
    const set = (network: object) =>
      kubectl('b', ['patch', 'federation', 'headcut', '--type=merge', '-p', JSON.stringify({ spec: { network } })]);
    const from = inPod(guest);
    const eventuallyTries = (pattern: RegExp, address = addressOf(resident)) =>
      eventually(async () => expect(await tries(from, address, 8080)).toMatch(pattern));
    try {
      await set({ guestNetworks: [`${addressOf(resident)}/32`] });
      await eventuallyTries(/^open$/);
      await set({ guestNetworks: null });
      await eventuallyTries(closed);
      await set({ guestAccess: 'All' });
      // Its own address means a pod at the guest's home, which has the same pod network.
      await eventuallyTries(/^open$/, `${await imagesOf('b')}.${addressOf(resident).split('.')[3]}`);
    } finally {
      await set({ guestNetworks: null, guestAccess: null });
    }
    await eventuallyTries(closed);
  });

  test('holds for a guest from its first packet on', async () => {
    const target = `http://${addressOf(resident)}:8080/`;
    const script = `i=0; while [ $i -lt 40 ]; do wget -T 1 -qO- ${target} >/dev/null 2>&1 && echo reached; i=$((i+1)); sleep 0.05; done; echo tried; sleep 600`;
    await apply('a', onB(home, 'early', { command: ['sh', '-c', script] }));
    await eventually(async () => expect(await kubectl('a', ['-n', home, 'logs', 'early'])).toContain('tried'), 90_000);
    expect(await kubectl('a', ['-n', home, 'logs', 'early'])).toBe('tried\n');
  });

  test('leaves to the other members the peer port alone, and to pods of this cluster what they need', async () => {
    const member = inNode('a');
    expect(await tries(member, nodeAddress, 7443)).toBe('open');
    for (const port of [7444, 7446, 7447, 7448, kubeletPort])
      expect(await tries(member, nodeAddress, port), String(port)).toBe('silent');
    const own = inPod(resident);
    for (const port of [7444, kubeletPort]) expect(await tries(own, nodeAddress, port), String(port)).toBe('open');
    for (const port of [7444, kubeletPort]) expect(await tries(inNode('b'), nodeAddress, port)).toBe('open');
    // The API server reaches virtual nodes, and the agent's proxy.
    expect((await get<PeerObject>('b', ['peer', 'a'])).status?.state).toBe('Connected');
    await kubectl('b', ['get', '--raw', '/api/v1/nodes/headcut-a/proxy/stats/summary']);
  });

  test('drops a source that no pod has', async () => {
    const from = inPod(guest);
    await from(['ip', 'address', 'add', '198.51.100.7/32', 'dev', 'eth0']);
    try {
      const script = TRY.replace('port: Number(port) }', "port: Number(port), localAddress: '198.51.100.7' }");
      const said = await from([process.execPath, '-e', script, addressOf(neighbour), '8080']);
      expect(said.trim()).toBe('silent');
    } finally {
      await from(['ip', 'address', 'delete', '198.51.100.7/32', 'dev', 'eth0']);
    }
  });
});
