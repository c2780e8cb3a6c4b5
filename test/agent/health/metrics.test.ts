import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { METRICS, type MetricName, type MetricSpec } from '../../../src/agent/health/metric-list.ts';
import { registerMetrics } from '../../../src/agent/health/metrics.ts';
import { peerFigures } from '../../../src/agent/health/peer-figures.ts';
import { collectProcessMetrics } from '../../../src/agent/health/process-metrics.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const offer = {
  capacity: {},
  nodeInfo: {},
  labels: {},
  accepting: true,
  allocatable: { cpu: '1500m', memory: '2Gi', pods: '9' },
};
const link = { name: 'b', state: 'Connected' as const, pods: new Map([['u', {} as never]]), offer };
const controllers = () => [
  { name: 'offloading', queued: 2, inFlight: 0, reconciles: 10, errors: 3, lastError: undefined, stuck: undefined },
];

function registryOf(peers: () => ReturnType<typeof peerFigures>[]) {
  const registry = new Registry();
  const made = registerMetrics(registry, { version: '1.2.3', controllers, peers });
  return { registry, ...made };
}

test('are served whatever one peer says that it offers, which counts as nothing', async () => {
  const spoiled = { cpu: '1e30000000', memory: 'much', pods: '-5', constructor: '1', ephemeral: '9'.repeat(1_000_000) };
  const enemy = { ...link, name: 'enemy', offer: { ...offer, allocatable: spoiled } };
  const { registry } = registryOf(() => [peerFigures(link), peerFigures(enemy)]);
  const text = await registry.metrics();
  expect(text).toContain('headcut_peer_offered_cpu_cores{peer="b"} 1.5');
  expect(text).toContain('headcut_peer_offered_memory_bytes{peer="enemy"} 0');
  expect(text).toContain('headcut_peer_offered_pods{peer="enemy"} 0');
});

test('the agent serves what the list of metrics says, with figures from where they are known', async () => {
  const { registry, writes } = registryOf(() => [peerFigures(link)]);
  writes.inc({ method: 'PATCH', resource: 'pods/status', result: 'ok' });
  const text = await registry.metrics();
  for (const [name, { type, help }] of Object.entries(METRICS)) {
    expect(text).toContain(`# HELP ${name} ${help}`);
    expect(text).toContain(`# TYPE ${name} ${type}`);
  }
  for (const line of [
    'headcut_build_info{version="1.2.3"} 1',
    'headcut_peers{state="Connected"} 1',
    'headcut_peers{state="Unreachable"} 0',
    'headcut_peer_connected{peer="b"} 1',
    'headcut_offloaded_pods{peer="b"} 1',
    'headcut_peer_offered_cpu_cores{peer="b"} 1.5',
    'headcut_peer_offered_memory_bytes{peer="b"} 2147483648',
    'headcut_reconciles_total{controller="offloading",result="error"} 3',
    'headcut_reconciles_total{controller="offloading",result="ok"} 7',
    'headcut_queue_length{controller="offloading"} 2',
    'headcut_api_writes_total{method="PATCH",resource="pods/status",result="ok"} 1',
  ])
    expect(text.split('\n')).toContain(line);
});

test('no series is left of a peer that was forgotten', async () => {
  let peers = [peerFigures(link)];
  const { registry } = registryOf(() => peers);
  expect(await registry.metrics()).toContain('peer="b"');
  peers = [];
  expect(await registry.metrics()).not.toContain('peer="b"');
});

test('docs/metrics.md describes each metric as it is', () => {
  const page = read('docs/metrics.md');
  for (const [name, { type, labels, help }] of Object.entries(METRICS)) {
    const list: readonly string[] = labels;
    const shown = list.length === 0 ? '–' : list.map((label) => `\`${label}\``).join(', ');
    expect(page).toContain(`| \`${name}\` | ${type} | ${shown} | ${help} |`);
  }
});

describe('queries of the dashboard and the alerts', () => {
  const dashboard = JSON.parse(read('manifests/optional/monitoring/grafana-dashboard.json')) as {
    panels: { title: string; targets: { expr: string }[] }[];
  };
  const rules = parse(read('manifests/optional/monitoring/prometheus-rule.yaml')) as {
    spec: { groups: { rules: { alert: string; expr: string }[] }[] };
  };
  const queries: [string, string][] = [
    ...dashboard.panels.flatMap(({ title, targets }) => targets.map(({ expr }): [string, string] => [title, expr])),
    ...rules.spec.groups.flatMap((group) => group.rules.map(({ alert, expr }): [string, string] => [alert, expr])),
  ];
  const registry = new Registry();
  collectProcessMetrics(registry);
  const ofProcess = new Set(registry.getMetricsAsArray().map(({ name }) => name));

  test.each(queries)('%s asks only for metrics and labels that exist', (_title, query) => {
    const names = query.match(/\bheadcut_[a-z0-9_]+/g) ?? [];
    expect(names.length).toBeGreaterThan(0);
    // What scraping adds to every series.
    const labels = new Set(['instance', 'job']);
    for (const name of names) {
      const known: MetricSpec | undefined = METRICS[name as MetricName];
      expect(known !== undefined || ofProcess.has(name), name).toBe(true);
      for (const label of known?.labels ?? []) labels.add(label);
    }
    const asked = [
      ...[...query.matchAll(/[{,]\s*([a-z_]+)\s*(?:=|!)/g)].map((match) => match[1]),
      ...[...query.matchAll(/by \(([^)]*)\)/g)].flatMap((match) =>
        (match[1] ?? '').split(',').map((one) => one.trim()),
      ),
    ];
    expect(asked.filter((label) => !labels.has(label ?? ''))).toEqual([]);
  });
});
