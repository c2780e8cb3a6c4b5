import { describe, expect, it } from 'vitest';
import { VirtualNodeStats } from '../../../src/agent/kubelet-server/node-stats.ts';
import type { PeerLink } from '../../../src/agent/ports.ts';
import type { Pod } from '../../../src/core/kube-objects.ts';
import type { PodUsage } from '../../../src/core/pod-stats/summary.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

const podOf = (name: string, nodeName: string): Pod => ({
  metadata: { name, namespace: 'demo', uid: `uid-${name}` },
  spec: { nodeName, containers: [{ name: 'c', image: 'x' }] },
});
const PODS = [podOf('web', 'headcut-b'), podOf('elsewhere', 'headcut-c')];
const stats = new VirtualNodeStats({
  node: 'headcut-b',
  nodes: { get: () => undefined },
  pods: { list: () => PODS },
  clock: systemClock,
});
const saying = (pods: { uid: string; stats: object }[]): PeerLink =>
  ({ call: () => Promise.resolve({ pods }) }) as unknown as PeerLink;

const time = '2026-01-01T00:00:00Z';
const used: PodUsage = {
  cpu: { time, usageCoreNanoSeconds: 5e9, usageNanoCores: 1e6 },
  memory: { time, workingSetBytes: 1_000 },
  containers: [{ name: 'c', cpu: { time, usageCoreNanoSeconds: 5e9 }, memory: { time, workingSetBytes: 1_000 } }],
};
const all = { onlyCpuAndMemory: false };

describe('what a peer says that pods use', () => {
  it('is said of the pods that are bound to its node, under their own names', async () => {
    const told = saying([
      { uid: 'uid-web', stats: { ...used, podRef: { name: 'coredns', namespace: 'kube-system', uid: 'uid-dns' } } },
      { uid: 'uid-elsewhere', stats: used },
      { uid: 'uid-invented', stats: used },
    ]);
    const { pods } = await stats.summary(told, all);
    expect(pods.map(({ podRef }) => podRef)).toEqual([{ name: 'web', namespace: 'demo', uid: 'uid-web' }]);
    expect(await stats.resourceMetrics(told)).not.toContain('coredns');
  });

  it('is of containers that the pod has, each once', async () => {
    const containers = [{ name: 'c' }, { name: 'c' }, { name: 'other' }];
    const { pods } = await stats.summary(saying([{ uid: 'uid-web', stats: { ...used, containers } }]), all);
    expect(pods[0]?.containers?.map(({ name }) => name)).toEqual(['c']);
  });

  it.each([
    ['a text with lines of its own', '1\nnode_cpu_usage_seconds_total 7'],
    ['less than nothing', -1],
    ['more than there is', 1e300],
    ['a list', [1]],
  ])('is in amounts, and not %s', async (_what, amount) => {
    const swap = { time, swapUsageBytes: amount };
    const memory = { time, workingSetBytes: amount };
    const told = saying([{ uid: 'uid-web', stats: { ...used, swap, containers: [{ name: 'c', swap, memory }] } }]);
    const text = await stats.resourceMetrics(told);
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(
        /^# (?:HELP|TYPE) |^[a-z_]+(?:\{[a-z]+="[a-z-]*"(?:,[a-z]+="[a-z-]*")*\})? [0-9.]+(?: [0-9]+)?$/,
      );
    expect(text).not.toContain('swap_usage_bytes{');
    expect(text).toContain('pod_cpu_usage_seconds_total{namespace="demo",pod="web"} 5 ');
  });
});
