import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { Node, Pod } from '../../../src/core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../../../src/core/labels.ts';
import { fencedPods, virtualKubeletPorts } from '../../../src/core/network/guests.ts';
import { type NodeFence, parseNodeFence } from '../../../src/core/network/node-fence.ts';
import {
  FENCE_FAMILIES,
  type FencedNode,
  planFence as planFamilies,
  planFenceRemoval,
} from '../../../src/core/network/plan-fence.ts';
import { parsePrefix } from '../../../src/core/network/prefix.ts';

const fence: NodeFence = {
  podCidr: '10.244.0.0/24',
  guests: [['10.244.0.5', '10.244.0.6'], ['10.244.0.9']],
  residents: ['10.244.0.2'],
  guests6: ['fd00::5'],
  residents6: ['fd00::2'],
  strangers: true,
  access: 'Internet',
  open: ['192.168.7.0/24'],
  closed: ['203.0.113.0/24'],
  services: ['10.96.0.0/12'],
  image: { prefix: '100.64.7.0/24', reachable: ['10.244.0.5'] },
  guestPorts: { tcp: [7446, 7447], udp: [7446] },
  innerPorts: { tcp: [7444, 10260], udp: [] },
  insiders: ['192.0.2.1/32'],
  probePort: 7445,
};
const node = { podLinks: ['cni0'], bridgedPacketsPass: true, lapsesAt: 1_800_000_000 };

/** Of all families. */
const planFence = (wanted: NodeFence, where: FencedNode): string =>
  Object.values(planFamilies(wanted, where)).join('\n');
const removal = FENCE_FAMILIES.map(planFenceRemoval).join('\n');

function canNft(): boolean {
  try {
    execFileSync('nft', ['--version']);
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}

describe('the fence of a node', () => {
  it('lets guests of one member reach each other, and no others of this cluster', () => {
    const rules = planFence(fence, node);
    expect(rules).toContain('10.244.0.5 : goto guest-0, 10.244.0.6 : goto guest-0, 10.244.0.9 : goto guest-1');
    expect(rules).toMatch(/chain guest-0 \{\n\s+ip daddr \{ 10\.244\.0\.5, 10\.244\.0\.6 \} accept\n\s+goto guest-out/);
    expect(rules).toContain('ip daddr @closed reject with icmp admin-prohibited');
    // A Service that is not set up yet is asked again.
    expect(rules).toContain('ip daddr @services drop');
  });

  it('opens nothing to an address that pods of two members show', () => {
    const rules = planFence({ ...fence, guests: [['10.244.0.5', '10.244.0.6'], ['10.244.0.6']] }, node);
    expect(rules).toContain('{ 10.244.0.5 : goto guest-0, 10.244.0.6 : goto guest-out }');
  });

  it('leaves sources to a network that routes back over another link than pods send by', () => {
    expect(planFence(fence, node)).toContain(
      'iifname != "lxc*" ip saddr 10.244.0.0/24 fib saddr . iif oif missing drop',
    );
  });

  it('opens by the settings of the Federation', () => {
    expect(planFence({ ...fence, access: 'Federation' }, node)).not.toContain('@closed reject');
    const open = planFence({ ...fence, access: 'All' }, node);
    expect(open).not.toContain('guest-');
    expect(open).toContain('ip saddr != @inside tcp dport { 10260, 7444, 7446, 7447 } drop');
  });

  it('takes who is not known for a guest only while one starts', () => {
    const unknown = 'ip saddr 10.244.0.0/24 ip saddr != @residents';
    expect(planFence(fence, node)).toContain(`${unknown} goto stranger-out`);
    expect(planFence({ ...fence, strangers: false }, node)).not.toContain(unknown);
    const nobody = { ...fence, guests: [], strangers: false, guests6: [] };
    expect(planFence(nobody, node)).not.toContain('chain forward');
  });

  it('holds between pods on a bridge also where their packets pass no rules of IP', () => {
    const bridged =
      'ip saddr { 10.244.0.5, 10.244.0.6, 10.244.0.9 } ip daddr 10.244.0.0/24 tcp flags & (syn | ack) == syn drop';
    expect(planFence(fence, { ...node, bridgedPacketsPass: false })).toContain(bridged);
    expect(planFence(fence, node)).not.toContain(bridged);
  });

  it('touches no table but its own', () => {
    const tables = [...`${planFence(fence, node)}\n${removal}`.matchAll(/^(?:add |delete )?table (\S+ \S+)/gm)];
    expect(new Set(tables.map((match) => match[1]))).toEqual(
      new Set(['ip hc-fence', 'ip6 hc-fence', 'bridge hc-fence']),
    );
  });

  it.runIf(canNft())('is understood by nft', () => {
    const shapes: NodeFence[] = [
      fence,
      { ...fence, access: 'All' },
      { ...fence, access: 'Federation', image: undefined, guests6: [], residents6: [] },
      { ...fence, guests: [], guests6: [], strangers: false, open: [], services: [], insiders: [] },
      { ...fence, image: { prefix: '100.64.7.0/24', reachable: undefined }, strangers: false },
    ];
    for (const shape of shapes)
      for (const podLinks of [[], ['cni0'], ['veth1', 'veth2']])
        for (const bridgedPacketsPass of [true, false])
          execFileSync('nft', ['-c', '-f', '-'], {
            input: planFence(shape, { ...node, podLinks, bridgedPacketsPass }),
          });
    execFileSync('nft', ['-c', '-f', '-'], { input: removal });
  });
});

describe('what the agent wants fenced', () => {
  it('is taken as it is told, and nothing else of it', () => {
    expect(parseNodeFence({ ...fence, extra: 'flush ruleset' })).toEqual(fence);
  });

  it.each([
    ['an address that is none', { residents: ['10.244.0.2 }'] }],
    ['a guest that is none', { guests: [['10.244.0.5', 7]] }],
    ['an IPv6 address with a link', { guests6: ['fe80::1%eth0'] }],
    ['a network that is none', { closed: ['10.96.0.0/12; drop'] }],
    ['a network with leading zeros', { open: ['192.168.07.0/24'] }],
    ['a port that is none', { innerPorts: { tcp: ['7444 accept'], udp: [] } }],
    ['an access that is none', { access: 'Everything' }],
    ['an image that is none', { image: { prefix: 'x' } }],
    ['too many addresses', { residents: Array.from({ length: 5_000 }, () => '10.244.0.2') }],
  ])('is refused with %s', (_what, overrides) => {
    expect(() => parseNodeFence({ ...fence, ...overrides })).toThrow();
  });
});

describe('the pods of a node', () => {
  const pod = (
    podIP: string | undefined,
    more: { origin?: string; nodeName?: string; hostNetwork?: boolean } = {},
  ): Pod =>
    ({
      metadata: { name: 'p', labels: more.origin === undefined ? {} : { [ORIGIN_CLUSTER_LABEL]: more.origin } },
      spec: { containers: [], nodeName: more.nodeName ?? 'here', hostNetwork: more.hostNetwork ?? false },
      status: {
        phase: 'Running',
        ...(podIP === undefined ? {} : { podIP, podIPs: [{ ip: podIP }, { ip: 'fd00::7' }] }),
      },
    }) as unknown as Pod;
  const fenced = (...pods: Pod[]) => fencedPods(pods, parsePrefix('10.244.0.0/24'), (name) => name === 'here');

  it('are guests by the member that they are of, or residents', () => {
    expect(
      fenced(
        pod('10.244.0.6', { origin: 'b' }),
        pod('10.244.0.5', { origin: 'b' }),
        pod('10.244.0.9', { origin: 'a' }),
        pod('10.244.0.2'),
        pod('192.0.2.7', { hostNetwork: true }),
        pod('100.64.2.2', { nodeName: 'headcut-b' }),
      ),
    ).toEqual({
      guests: [['10.244.0.9'], ['10.244.0.5', '10.244.0.6']],
      residents: ['10.244.0.2'],
      guests6: ['fd00::7'],
      residents6: ['fd00::7'],
      strangers: false,
    });
  });

  it('may be strangers while a guest that was bound has no address', () => {
    expect(fenced(pod(undefined, { origin: 'b' })).strangers).toBe(true);
    expect(fenced(pod(undefined)).strangers).toBe(false);
    expect(fenced(pod(undefined, { origin: 'b', nodeName: 'headcut-b' })).strangers).toBe(false);
  });

  it('are called by the kubelet ports of virtual nodes', () => {
    const virtual = (port: number): Node => ({
      metadata: { name: `v${port}`, labels: { [PEER_LABEL]: 'b' } },
      status: { daemonEndpoints: { kubeletEndpoint: { Port: port } } },
    });
    const real: Node = { metadata: { name: 'n' }, status: { daemonEndpoints: { kubeletEndpoint: { Port: 10250 } } } };
    expect(virtualKubeletPorts([virtual(10261), real, virtual(0), virtual(10260)])).toEqual([10260, 10261]);
  });
});
