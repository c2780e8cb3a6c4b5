import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NodeFence } from '../../src/core/network/node-fence.ts';
import { planFence } from '../../src/core/network/plan-fence.ts';

const run = promisify(execFile);
/** Network namespaces of this test: a node with a bridge, two guests of two members, a pod of the cluster, a machine outside. */
const name = (what: string): string => `hcfence-${process.pid}-${what}`;
const PODS = ['guest', 'other', 'resident'];
const [GUEST, OTHER, RESIDENT] = ['10.244.0.2', '10.244.0.3', '10.244.0.4'];
const NODE = '192.0.2.10';

const fence: NodeFence = {
  podCidr: '10.244.0.0/24',
  guests: [[GUEST], [OTHER]],
  residents: [RESIDENT],
  guests6: [],
  residents6: [],
  strangers: false,
  access: 'Internet',
  open: [],
  closed: [],
  services: ['10.96.0.0/12'],
  image: undefined,
  guestPorts: { tcp: [7446], udp: [7446] },
  innerPorts: { tcp: [7444], udp: [] },
  insiders: [],
  probePort: 7445,
};

const ip = (where: string, ...argv: string[]) => run('ip', ['-n', name(where), ...argv]);
const inside = (where: string, argv: string[]) => run('ip', ['netns', 'exec', name(where), ...argv]);

/** Nothing listens: who is let through is refused by the other end, at once. */
async function tries(where: string, host: string, port: number): Promise<'through' | 'closed'> {
  const script = `const [host, port] = process.argv.slice(1);
    const socket = require('net').connect({ host, port: Number(port) });
    const end = (word) => { console.log(word); process.exit(); };
    socket.on('connect', () => end('through'));
    socket.on('error', ({ code }) => end(code === 'ECONNREFUSED' ? 'through' : 'closed'));
    setTimeout(() => end('closed'), 1_000);`;
  return (await inside(where, [process.execPath, '-e', script, host, String(port)])).stdout.trim() as 'through';
}

async function write(wanted: NodeFence, bridgedPacketsPass: boolean, holdsForMs = 600_000): Promise<void> {
  const lapsesAt = Math.round((Date.now() + holdsForMs) / 1_000);
  const rules = Object.values(planFence(wanted, { podLinks: ['cni0'], bridgedPacketsPass, lapsesAt })).join('\n');
  const nft = run('ip', ['netns', 'exec', name('node'), 'nft', '-f', '-']);
  nft.child.stdin?.end(rules);
  await nft;
}

async function up(): Promise<void> {
  for (const one of ['node', 'world', ...PODS]) {
    await run('ip', ['netns', 'add', name(one)]);
    await ip(one, 'link', 'set', 'lo', 'up');
  }
  await ip('node', 'link', 'add', 'cni0', 'type', 'bridge');
  await ip('node', 'addr', 'add', '10.244.0.1/24', 'dev', 'cni0');
  await ip('node', 'link', 'set', 'cni0', 'up');
  for (const [index, one] of PODS.entries()) {
    await ip('node', 'link', 'add', `veth${one}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name(one));
    await ip('node', 'link', 'set', `veth${one}`, 'master', 'cni0', 'up');
    await ip(one, 'addr', 'add', `10.244.0.${index + 2}/24`, 'dev', 'eth0');
    await ip(one, 'link', 'set', 'eth0', 'up');
    await ip(one, 'route', 'add', 'default', 'via', '10.244.0.1');
  }
  await ip('node', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name('world'));
  await ip('node', 'addr', 'add', `${NODE}/24`, 'dev', 'eth0');
  await ip('world', 'addr', 'add', '192.0.2.20/24', 'dev', 'eth0');
  await ip('world', 'addr', 'add', '192.168.5.5/32', 'dev', 'lo');
  await ip('world', 'addr', 'add', '203.0.113.9/32', 'dev', 'lo');
  for (const one of ['node', 'world']) await ip(one, 'link', 'set', 'eth0', 'up');
  await ip('node', 'route', 'add', 'default', 'via', '192.0.2.20');
  await ip('world', 'route', 'add', '10.244.0.0/24', 'via', NODE);
  await inside('node', ['sysctl', '-qw', 'net.ipv4.ip_forward=1']);
}

async function down(): Promise<void> {
  for (const one of ['node', 'world', ...PODS]) await run('ip', ['netns', 'delete', name(one)]).catch(() => {});
}

describe.each([
  ['pass the rules of IP', '1'],
  ['pass no rules of IP', '0'],
])('the fence on a node with a bridge whose packets %s', (_how, call) => {
  const set = (wanted: NodeFence) => write(wanted, call === '1');

  beforeAll(async () => {
    await up();
    const setting = '/proc/sys/net/bridge/bridge-nf-call-iptables';
    // Where the kernel has no such setting, packets on a bridge pass none.
    await inside('node', ['sh', '-c', `[ ! -e ${setting} ] || echo ${call} > ${setting}`]);
  }, 30_000);
  afterAll(down);

  test('closes to a guest what is the house’s, and leaves it the internet and its names', async () => {
    await set(fence);
    for (const [host, port] of [
      [RESIDENT, 8080],
      [OTHER, 8080],
      ['10.244.0.1', 10_250],
      [NODE, 10_250],
      [NODE, 7444],
      ['192.168.5.5', 80],
    ] as const)
      expect(await tries('guest', host, port), `${host}:${port}`).toBe('closed');
    expect(await tries('guest', '203.0.113.9', 80)).toBe('through');
    expect(await tries('guest', NODE, 7446)).toBe('through');
  });

  test('lets guests of one member reach each other, and the house reach them', async () => {
    await set({ ...fence, guests: [[GUEST, OTHER]] });
    expect(await tries('guest', OTHER, 8080)).toBe('through');
    expect(await tries('resident', GUEST, 8080)).toBe('through');
    expect(await tries('node', GUEST, 8080)).toBe('through');
    expect(await tries('resident', '192.168.5.5', 80)).toBe('through');
  });

  test('keeps the agent’s ports from whoever is neither this node nor one of its pods', async () => {
    await set(fence);
    expect(await tries('world', NODE, 7444)).toBe('closed');
    expect(await tries('world', NODE, 7446)).toBe('closed');
    expect(await tries('world', NODE, 7443)).toBe('through');
    expect(await tries('resident', NODE, 7444)).toBe('through');
    expect(await tries('node', NODE, 7444)).toBe('through');
    await set({ ...fence, insiders: ['192.0.2.20/32'] });
    expect(await tries('world', NODE, 7444)).toBe('through');
  });

  test('closes link-local addresses of IPv6 to all pods while guests are here', async () => {
    const shown = JSON.parse((await ip('node', '-json', '-6', 'addr', 'show', 'dev', 'cni0', 'scope', 'link')).stdout);
    const address = (shown as { addr_info?: { local: string }[] }[])[0]?.addr_info?.[0]?.local;
    if (address === undefined) return;
    await set(fence);
    expect(await tries('guest', `${address}%eth0`, 10_250)).toBe('closed');
  });

  test('opens all of it where the owner does', async () => {
    await set({ ...fence, open: [`${RESIDENT}/32`] });
    expect(await tries('guest', RESIDENT, 8080)).toBe('through');
    await set({ ...fence, access: 'All' });
    expect(await tries('guest', RESIDENT, 8080)).toBe('through');
    expect(await tries('guest', NODE, 10_250)).toBe('through');
  });

  test('holds guests no more where nobody renewed it, but keeps the agent’s ports', async () => {
    await write(fence, call === '1', -10_000);
    expect(await tries('guest', RESIDENT, 8080)).toBe('through');
    expect(await tries('guest', NODE, 10_250)).toBe('through');
    expect(await tries('world', NODE, 7444)).toBe('closed');
  });

  test('drops a source that no pod has', async () => {
    await set({ ...fence, guests: [[GUEST, OTHER]] });
    await inside('guest', ['ip', 'addr', 'add', '198.51.100.7/32', 'dev', 'eth0']);
    await inside('guest', ['ip', 'route', 'add', '203.0.113.9/32', 'via', '10.244.0.1', 'src', '198.51.100.7']);
    expect(await tries('guest', '203.0.113.9', 80)).toBe('closed');
  });
});

test('takes who is not known for a guest while one starts', async () => {
  await up();
  try {
    await write({ ...fence, guests: [], strangers: true }, true);
    expect(await tries('guest', RESIDENT, 8080)).toBe('closed');
    expect(await tries('guest', NODE, 10_250)).toBe('closed');
    expect(await tries('resident', NODE, 10_250)).toBe('through');
  } finally {
    await down();
  }
}, 30_000);
