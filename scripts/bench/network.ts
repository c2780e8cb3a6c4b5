/**
 * `npm run bench:network`: throughput and round trips between pods of two clusters, as ratios to a bare tunnel between the same
 * nodes and to the plain link, all in one run; the same while UDP is blocked; and how soon a new Service answers.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArchitecture } from '../image/architecture.ts';
import { buildWireguardGo } from '../image/wireguard-go.ts';
import { openBareTunnel, type TunnelEnd } from './bare-tunnel.ts';
import { apply, deployment, kubectl, labName, offloadedNamespace, onNode, processOf, row, run } from './bench-lab.ts';

const lab = labName();

const IPERF_PORT = 5301;
const ROUND_TRIP_PORT = 5302;
const SECONDS = 6;
const NAMESPACE = 'bench-network';
const BLOCK = 'bench-udp-blocked';

/** Where something is measured from or to: how to get there, and its address as the other side knows it. */
interface Place {
  enter: string[];
  address: string;
}

interface Figures {
  mbitPerS: number;
  roundTripUs: number;
  /** Of the whole machine while throughput was measured, per Gbit. */
  cpuSecondsPerGbit: number;
}

const inside = (place: Place, argv: string[]) => run('nsenter', [...place.enter, ...argv]);

async function measure(from: Place, to: Place): Promise<Figures> {
  const server = spawn('nsenter', [...to.enter, 'iperf3', '-s', '-1', '-p', String(IPERF_PORT)], { stdio: 'ignore' });
  await sleep(500);
  const before = busySeconds();
  const iperf = ['iperf3', '-J', '-c', to.address, '-p', String(IPERF_PORT), '-t', String(SECONDS)];
  const { stdout } = await inside(from, iperf);
  const cpuSeconds = busySeconds() - before;
  server.kill();
  const { end } = JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number; bytes: number } } };
  const { bits_per_second, bytes } = end.sum_received;
  return {
    mbitPerS: bits_per_second / 1e6,
    cpuSecondsPerGbit: cpuSeconds / ((bytes * 8) / 1e9),
    roundTripUs: await roundTrip(from, to),
  };
}

async function roundTrip(from: Place, to: Place): Promise<number> {
  const script = join(import.meta.dirname, 'round-trip.ts');
  const serve = [...to.enter, process.execPath, script, 'serve', String(ROUND_TRIP_PORT)];
  const server = spawn('nsenter', serve, { stdio: 'ignore' });
  await sleep(1_000);
  try {
    const ask = [process.execPath, script, 'ask', to.address, String(ROUND_TRIP_PORT)];
    return Number((await inside(from, ask)).stdout);
  } finally {
    server.kill();
  }
}

/** CPU time that this machine spent on anything, in seconds (/proc/stat counts hundredths). */
function busySeconds(): number {
  const [, user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = (
    readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? ''
  )
    .split(/\s+/)
    .map(Number);
  return (user + nice + system + irq + softirq) / 100;
}

async function makePod(name: string, node: string): Promise<Place & { name: string }> {
  await apply('a', deployment({ namespace: NAMESPACE, name }, 1, onNode(node)));
  await kubectl('a', ['-n', NAMESPACE, 'rollout', 'status', `deployment/${name}`, '--timeout=60s']);
  const wait = ['-n', NAMESPACE, 'wait', 'pod', '-l', `app=${name}`, '--for=jsonpath={.status.podIP}', '--timeout=60s'];
  await kubectl('a', wait);
  const fields = '{.items[0].metadata.name} {.items[0].status.podIP}';
  const text = await kubectl('a', ['-n', NAMESPACE, 'get', 'pods', '-l', `app=${name}`, '-o', `jsonpath=${fields}`]);
  const [pod = '', address = ''] = text.split(' ');
  return { name: pod, address, enter: ['--target', processOf(pod), '--net'] };
}

async function waitForPath(path: string): Promise<number> {
  const start = performance.now();
  while ((await kubectl('a', ['get', 'peer', 'b', '-o', 'jsonpath={.status.network.path}'])) !== path) await sleep(250);
  return (performance.now() - start) / 1000;
}

async function withUdpBlocked<T>(work: () => Promise<T>): Promise<T> {
  const nft = (commands: string) => run('nsenter', [`--net=/run/netns/headcut-${lab}-b`, 'nft', commands]);
  await nft(`add table ip ${BLOCK}
    add chain ip ${BLOCK} in { type filter hook prerouting priority -400; }
    add rule ip ${BLOCK} in iifname "eth0" udp dport 51820 drop`);
  try {
    return await work();
  } finally {
    await nft(`delete table ip ${BLOCK}`);
  }
}

/**
 * Milliseconds from the creation of a Service to its first answer to a pod that then asks by name until it gets one. (Not
 * before: that there is no such name is cached for seconds by the cluster's DNS.) Each try ends soon: at home a connection that
 * is made before kube-proxy wrote its rules goes nowhere for good.
 */
async function timeToAnswer(from: { name: string }, service: string, app: string): Promise<string> {
  const spec = { selector: { app }, ports: [{ port: 80, targetPort: 8080 }] };
  const object = { apiVersion: 'v1', kind: 'Service', metadata: { name: service, namespace: NAMESPACE }, spec };
  const loop = `until timeout 3 wget -qO- http://${service} 2>/dev/null; do :; done`;
  const start = performance.now();
  await kubectl('a', ['create', '-f', '-'], JSON.stringify(object));
  return kubectl('a', ['-n', NAMESPACE, 'exec', from.name, '--', 'timeout', '20', 'sh', '-c', loop]).then(
    () => (performance.now() - start).toFixed(0),
    () => 'no answer in 20 s',
  );
}

function show(what: string, figures: Figures): void {
  row(`${what}: throughput, Mbit/s`, figures.mbitPerS.toFixed(0));
  row(`${what}: 1-byte round trip, median, µs`, figures.roundTripUs.toFixed(0));
  row(`${what}: CPU of the machine, s per Gbit`, figures.cpuSecondsPerGbit.toFixed(2));
}

function compare(what: string, one: Figures, other: Figures): void {
  row(`${what}: throughput, ratio`, (one.mbitPerS / other.mbitPerS).toFixed(2));
  row(`${what}: round trip, ratio`, (one.roundTripUs / other.roundTripUs).toFixed(2));
}

async function nodeOf(cluster: string, tunnelAddress: string): Promise<TunnelEnd & Place> {
  const path = 'jsonpath={.status.addresses[?(@.type=="InternalIP")].address}';
  const address = await kubectl(cluster, ['get', 'node', cluster, '-o', path]);
  const namespace = `headcut-${lab}-${cluster}`;
  return { namespace, address, inside: tunnelAddress, enter: [`--net=/run/netns/${namespace}`] };
}

/** The very program that is in the image. */
function wireguardGo(): Promise<string> {
  const cache = join(process.env.HEADCUT_CACHE ?? '', 'images');
  return buildWireguardGo({ cache, architecture: parseArchitecture(process.arch), say: console.error });
}

async function main(): Promise<void> {
  await using _ = await offloadedNamespace(NAMESPACE);
  const nodes = [await nodeOf('a', '192.0.2.1'), await nodeOf('b', '192.0.2.2')] as const;
  const [here, there] = [await makePod('here', 'a'), await makePod('there', 'headcut-b')];
  await waitForPath('UDP');

  const plain = await measure(nodes[0], nodes[1]);
  show('plain link, node to node', plain);
  const tunnel = await openBareTunnel(nodes, await wireguardGo());
  let bare: Figures;
  try {
    bare = await measure(nodes[0], { ...nodes[1], address: nodes[1].inside });
  } finally {
    await tunnel.close();
  }
  show('bare tunnel, node to node', bare);
  const pods = await measure(here, there);
  show('pod to pod', pods);
  compare('pod to pod / bare tunnel', pods, bare);
  compare('pod to pod / plain link', pods, plain);

  await withUdpBlocked(async () => {
    row('UDP blocked: until the path is TLS, s', (await waitForPath('TLS')).toFixed(1));
    const fallback = await measure(here, there);
    show('pod to pod over TLS', fallback);
    compare('pod to pod over TLS / bare tunnel', fallback, bare);
    compare('pod to pod over TLS / plain link', fallback, plain);
  });
  row('UDP free again: until the path is UDP, s', (await waitForPath('UDP')).toFixed(1));

  row('new Service, first answer to a pod at home (pod away), ms', await timeToAnswer(here, 'home', 'there'));
  row('new Service, first answer to an offloaded pod (pod at home), ms', await timeToAnswer(there, 'away', 'here'));
}

await main();
