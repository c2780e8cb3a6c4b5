import { describe, expect, test } from 'vitest';
import { addUsage, NO_USAGE, nodeStatsOf } from '../../../src/core/pod-stats/node-usage.ts';
import { toResourceMetrics } from '../../../src/core/pod-stats/resource-metrics.ts';
import { onlyCpuAndMemory, type PodStats, statsOfPods } from '../../../src/core/pod-stats/summary.ts';

const time = '2026-01-01T00:00:10Z';
const stats = (uid: string, coreNanoSeconds = 2_000_000_000): PodStats => ({
  podRef: { name: `web-${uid}`, namespace: 'twin-ns', uid },
  startTime: '2026-01-01T00:00:00Z',
  cpu: { time, usageNanoCores: 5_000_000, usageCoreNanoSeconds: coreNanoSeconds },
  memory: { time, workingSetBytes: 1_000, usageBytes: 1_500, rssBytes: 500 },
  network: { time, name: 'eth0', rxBytes: 7 },
  containers: [
    {
      name: 'c',
      startTime: '2026-01-01T00:00:01Z',
      cpu: { time, usageCoreNanoSeconds: 1_500_000_000 },
      memory: { time, workingSetBytes: 900 },
      rootfs: { usedBytes: 3 },
    },
  ],
});

test('a consumer is told of its own pods only, without the names that they have on the provider', () => {
  const summary = { node: { nodeName: 'b' }, pods: [stats('real-1'), stats('real-2')] };
  const told = statsOfPods([summary], new Map([['real-2', 'home-2']]));
  expect(told).toMatchObject([{ uid: 'home-2', stats: { network: { rxBytes: 7 } } }]);
  expect(JSON.stringify(told)).not.toContain('twin-ns');
});

test('only CPU and memory are left where no more was asked for', () => {
  const { podRef: _, ...full } = stats('u');
  const text = JSON.stringify(onlyCpuAndMemory(full));
  expect(text).not.toMatch(/network|rootfs/);
  expect(text).toMatch(/workingSetBytes.*usageCoreNanoSeconds/);
});

describe('the use of a virtual node', () => {
  const bound = new Set(['u', 'v']);

  test('is the sum of its pods, and its counter never falls when they come and go or start anew', () => {
    let usage = NO_USAGE;
    const totals = [
      [stats('u', 100)],
      [stats('u', 150), stats('v', 40)],
      [stats('v', 45)],
      [stats('u', 160)],
      [stats('v', 5)],
    ].map((pods) => {
      usage = addUsage(usage, pods, bound);
      return usage.totalCoreNanoSeconds - NO_USAGE.totalCoreNanoSeconds;
    });
    expect(totals).toEqual([100, 190, 195, 205, 210]);
    expect(nodeStatsOf({ name: 'n', startTime: undefined, at: time }, usage, [stats('u'), stats('v')])).toMatchObject({
      nodeName: 'n',
      cpu: { usageNanoCores: 10_000_000 },
      memory: { workingSetBytes: 2_000 },
    });
  });

  test('without pods is not 0, which metrics-server would take for unknown', () => {
    const { cpu, memory } = nodeStatsOf({ name: 'n', startTime: undefined, at: time }, NO_USAGE, []);
    expect(cpu?.usageCoreNanoSeconds).toBeGreaterThan(0);
    expect(memory?.workingSetBytes).toBeGreaterThan(0);
  });
});

test('the resource metrics are those that metrics-server reads', () => {
  const pods = [{ ...stats('u'), podRef: { name: 'web', namespace: 'demo', uid: 'u' } }];
  const node = nodeStatsOf({ name: 'n', startTime: undefined, at: time }, addUsage(NO_USAGE, pods, new Set()), pods);
  const lines = toResourceMetrics({ node, pods }).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      '# TYPE container_cpu_usage_seconds_total counter',
      'container_cpu_usage_seconds_total{container="c",namespace="demo",pod="web"} 1.5 1767225610000',
      'container_memory_working_set_bytes{container="c",namespace="demo",pod="web"} 900 1767225610000',
      'container_start_time_seconds{container="c",namespace="demo",pod="web"} 1767225601',
      'node_cpu_usage_seconds_total 2.000000001 1767225610000',
      'node_memory_working_set_bytes 1000 1767225610000',
      'pod_cpu_usage_seconds_total{namespace="demo",pod="web"} 2 1767225610000',
      'resource_scrape_error 0',
    ]),
  );
});
