import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeNetwork } from '../../src/core/network/node-network.ts';
import { planGuestFrames } from '../../src/core/network/plan-guest-frames.ts';
import { planNft } from '../../src/core/network/plan-nft.ts';

const run = promisify(execFile);
/** Network namespaces of this test: a node with a bridge, two guests of one member, one of another, a pod of the cluster, both homes. */
const name = (what: string): string => `hcaddr-${process.pid}-${what}`;
const PODS = ['guest', 'fellow', 'stranger', 'resident'];
const [GUEST, FELLOW, STRANGER, RESIDENT] = ['10.244.0.2', '10.244.0.3', '10.244.0.4', '10.244.0.5'];
const HOMES = { red: '100.64.1', blue: '100.64.2' };
const TWIN = '10.96.5.5';
const AT_HOME = '10.96.77.77';
const EMPTY = '10.96.88.88';

const network: NodeNetwork = {
  privateKey: 'secret',
  port: 51820,
  probePort: 7445,
  podCidr: '10.244.0.0/24',
  prefix: '100.64.7.0/24',
  reachable: undefined,
  serviceCidrs: ['10.96.0.0/12'],
  homes: [
    {
      guests: [GUEST, FELLOW],
      podCidr: '10.244.0.0/24',
      prefix: `${HOMES.red}.0/24`,
      services: [
        { home: AT_HOME, here: TWIN, empty: false },
        { home: EMPTY, here: '10.96.5.6', empty: true },
      ],
    },
    { guests: [STRANGER], podCidr: '10.244.0.0/24', prefix: `${HOMES.blue}.0/24`, services: [] },
  ],
  local: ['10.244.0.99/32'],
  peers: [],
};

const ip = (where: string, ...argv: string[]) => run('ip', ['-n', name(where), ...argv]);
const inside = (where: string, argv: string[]) => run('ip', ['netns', 'exec', name(where), ...argv]);
const servers: ChildProcess[] = [];

/** Says by TCP and UDP who it is, who asks, and at which address. */
const SERVER = `const [me, ...addresses] = process.argv.slice(1);
  const tell = (from, at) => me + ' to ' + from.replace(/^::ffff:/, '') + ' at ' + at.replace(/^::ffff:/, '');
  require('net').createServer((s) => { s.on('error', () => {}); s.end(tell(s.remoteAddress, s.localAddress)); }).listen(8080, '0.0.0.0', () => {
    for (const at of addresses) {
      const u = require('dgram').createSocket('udp4');
      u.on('message', (m, from) => u.send(tell(from.address, at), from.port, from.address));
      u.bind(8080, at, () => at === addresses.at(-1) && console.log('up'));
    }
  });`;
const CLIENT = `const [host, port, kind] = process.argv.slice(1);
  const end = (word) => { console.log(word); process.exit(); };
  setTimeout(() => end('silence'), 2_500);
  if (kind === 'udp') {
    const u = require('dgram').createSocket('udp4');
    u.connect(Number(port), host, () => { u.send('hi'); setInterval(() => u.send('hi'), 600); });
    u.on('message', (m) => end(String(m)));
    u.on('error', ({ code }) => end(code));
  } else {
    const s = require('net').connect({ host, port: Number(port) });
    let said = '';
    s.on('data', (d) => (said += d));
    s.on('end', () => end(said));
    s.on('error', ({ code }) => end(code));
  }`;

async function asks(where: string, host: string, port = 8080, kind: 'tcp' | 'udp' = 'tcp'): Promise<string> {
  return (await inside(where, [process.execPath, '-e', CLIENT, host, String(port), kind])).stdout.trim();
}

async function serve(where: string, addresses: readonly string[]): Promise<void> {
  const argv = ['netns', 'exec', name(where), process.execPath, '-e', SERVER, where, ...addresses];
  const server = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  servers.push(server);
  await once(server.stdout as NodeJS.ReadableStream, 'data');
}

async function link(one: string, its: string, other: string): Promise<void> {
  await ip(one, 'link', 'add', its, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name(other));
}

async function up(): Promise<void> {
  for (const one of ['node', 'world', ...Object.keys(HOMES), ...PODS]) {
    await run('ip', ['netns', 'add', name(one)]);
    await ip(one, 'link', 'set', 'lo', 'up');
  }
  await ip('node', 'link', 'add', 'cni0', 'type', 'bridge');
  await ip('node', 'addr', 'add', '10.244.0.1/24', 'dev', 'cni0');
  await ip('node', 'link', 'set', 'cni0', 'up');
  for (const [index, one] of PODS.entries()) {
    await link('node', `veth${one}`, one);
    await ip('node', 'link', 'set', `veth${one}`, 'master', 'cni0', 'up');
    await ip('node', 'link', 'set', `veth${one}`, 'type', 'bridge_slave', 'hairpin', 'on');
    await ip(one, 'addr', 'add', `10.244.0.${index + 2}/24`, 'dev', 'eth0');
    await ip(one, 'link', 'set', 'eth0', 'up');
    await ip(one, 'route', 'add', 'default', 'via', '10.244.0.1');
  }
  await link('node', 'eth0', 'world');
  await ip('node', 'addr', 'add', '192.0.2.10/24', 'dev', 'eth0');
  await ip('node', 'link', 'set', 'eth0', 'up');
  await ip('world', 'link', 'set', 'eth0', 'up');
  await ip('node', 'route', 'add', 'default', 'via', '192.0.2.20');
  // What carries packets to the homes: the link of the tunnel is a bridge between both here.
  await ip('node', 'link', 'add', 'headcut0', 'type', 'bridge');
  await ip('node', 'addr', 'add', '100.64.7.0/32', 'dev', 'headcut0');
  await ip('node', 'link', 'set', 'headcut0', 'up');
  for (const [home, prefix] of Object.entries(HOMES)) {
    await link('node', `to-${home}`, home);
    await ip('node', 'link', 'set', `to-${home}`, 'master', 'headcut0', 'up');
    await ip(home, 'addr', 'add', `${prefix}.0/32`, 'dev', 'eth0');
    await ip(home, 'link', 'set', 'eth0', 'up');
    await ip(home, 'route', 'add', 'local', `${prefix}.0/24`, 'dev', 'lo');
    await ip(home, 'route', 'add', '100.64.7.0/24', 'dev', 'eth0', 'src', `${prefix}.0`);
    await ip('node', 'route', 'add', `${prefix}.0/24`, 'dev', 'headcut0', 'src', '100.64.7.0');
    // The tunnel asks nobody for addresses of links.
    await inside(home, ['sysctl', '-qw', 'net.ipv4.conf.eth0.arp_ignore=0', 'net.ipv4.conf.all.rp_filter=0']);
  }
  await inside('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.headcut0.proxy_arp=1']);
  await write('ip', SERVICE_PROXY);
}

/** What a service proxy does with the Services of the twin namespace: one leads to a pod here, which is a guest itself. */
const SERVICE_PROXY = `table ip proxy {
  chain prerouting { type nat hook prerouting priority -100; policy accept;
    ip daddr ${TWIN} tcp dport 80 dnat to ${FELLOW}:8080
    ip daddr ${TWIN} udp dport 80 dnat to ${FELLOW}:8080
  }
  chain postrouting { type nat hook postrouting priority 100; policy accept;
    ct status dnat ip saddr ${FELLOW} ip daddr ${FELLOW} masquerade
  }
}`;

async function write(_what: string, rules: string): Promise<void> {
  const nft = run('ip', ['netns', 'exec', name('node'), 'nft', '-f', '-']);
  nft.child.stdin?.end(rules);
  await nft;
}

async function apply(wanted: NodeNetwork): Promise<void> {
  const [shown] = JSON.parse((await ip('node', '-json', 'link', 'show', 'cni0')).stdout) as { address: string }[];
  const { homes = [], podCidr } = wanted;
  const frames = planGuestFrames({ homes, podCidr }, [{ name: 'cni0', mac: shown?.address ?? '' }]);
  for (const rules of [planNft(wanted), ...Object.values(frames)]) await write('', rules);
}

async function down(): Promise<void> {
  for (const server of servers.splice(0)) server.kill('SIGKILL');
  for (const one of ['node', 'world', ...Object.keys(HOMES), ...PODS])
    await run('ip', ['netns', 'delete', name(one)]).catch(() => {});
}

describe.each([
  ['pass the rules of IP', '1'],
  ['pass no rules of IP', '0'],
])('for a guest on a node with a bridge whose packets %s', (_how, call) => {
  beforeAll(async () => {
    await up();
    const setting = '/proc/sys/net/bridge/bridge-nf-call-iptables';
    await inside('node', ['sh', '-c', `[ ! -e ${setting} ] || echo ${call} > ${setting}`]);
    for (const one of PODS) await serve(one, ['0.0.0.0']);
    for (const [home, prefix] of Object.entries(HOMES))
      await serve(
        home,
        [77, 5, 4].map((host) => `${prefix}.${host}`),
      );
    await apply(network);
  }, 60_000);
  afterAll(down);

  test.each(['tcp', 'udp'] as const)('the pod network is that of its home, by %s', async (kind) => {
    // One that nobody has here, one that a pod of the cluster has, and one that another member's guest has.
    for (const host of ['10.244.0.77', RESIDENT, STRANGER]) {
      const seen = `${HOMES.red}.${host.split('.').pop()}`;
      expect(await asks('guest', host, 8080, kind), host).toBe(`red to 100.64.7.2 at ${seen}`);
    }
    expect(await asks('stranger', '10.244.0.77', 8080, kind)).toMatch(/^blue to 100\.64\.7\.4 at /);
  });

  test('its neighbours are reached by their images, and see its own', async () => {
    expect(await asks('guest', '100.64.7.3')).toBe(`fellow to 100.64.7.2 at ${FELLOW}`);
  });

  test.each(['tcp', 'udp'] as const)('an address of a Service is that of its home, by %s', async (kind) => {
    expect(await asks('guest', AT_HOME, 80, kind)).toMatch(/^fellow to 100\.64\.7\.2 at /);
    // Itself behind its own Service.
    expect(await asks('fellow', AT_HOME, 80, kind)).toMatch(/^fellow to 100\.64\.7\.3 at /);
  });

  test.each(['tcp', 'udp'] as const)('a Service with nothing behind it refuses at once, by %s', async (kind) => {
    expect(await asks('guest', EMPTY, 80, kind)).toBe('ECONNREFUSED');
  });

  test('pods of the cluster and the node reach it as before, and each other', async () => {
    expect(await asks('resident', GUEST)).toBe(`guest to 100.64.7.5 at ${GUEST}`);
    expect(await asks('node', GUEST)).toBe(`guest to 10.244.0.1 at ${GUEST}`);
    expect(await asks('node', RESIDENT)).toBe(`resident to 10.244.0.1 at ${RESIDENT}`);
    expect(await asks('resident', TWIN, 80)).toMatch(/^fellow to 100\.64\.7\.5 at /);
  });

  test('is as before where nobody tells of its home', async () => {
    await apply({ ...network, homes: [] });
    expect(await asks('guest', RESIDENT)).toBe(`resident to ${GUEST} at ${RESIDENT}`);
  });
});
