import type { ContainerStats, PodStats, Summary } from './summary.ts';

/** `/metrics/resource` of a kubelet, which metrics-server reads (pkg/kubelet/metrics/collectors/resource_metrics.go). */

interface Sample {
  labels: Record<string, string>;
  value: number;
  /** RFC 3339; none for start times. */
  time?: string | undefined;
}

interface Family {
  name: string;
  help: string;
  type: 'counter' | 'gauge';
  samples: Sample[];
}

const NANO = 1e9;

/** The Prometheus text of a summary. */
export function toResourceMetrics(summary: Summary): string {
  return families(summary)
    .filter(({ samples }) => samples.length > 0)
    .flatMap(({ name, help, type, samples }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples.map((sample) => `${name}${labelText(sample.labels)} ${sample.value}${timeText(sample.time)}`),
    ])
    .join('\n')
    .concat('\n');
}

function families({ node, pods }: Summary): Family[] {
  const containers = pods.flatMap((pod) =>
    (pod.containers ?? []).map((container) => ({
      container,
      labels: { container: container.name, ...podLabels(pod) },
    })),
  );
  const perContainer = (of: (container: ContainerStats) => [number | undefined, string | undefined]): Sample[] =>
    containers.flatMap(({ container, labels }) => sample(labels, ...of(container)));
  const perPod = (of: (pod: PodStats) => [number | undefined, string | undefined]): Sample[] =>
    pods.flatMap((pod) => sample(podLabels(pod), ...of(pod)));
  return [
    counter('container_cpu_usage_seconds_total', 'Cumulative cpu time consumed by the container in core-seconds', [
      ...perContainer(({ cpu }) => [seconds(cpu?.usageCoreNanoSeconds), cpu?.time]),
    ]),
    gauge('container_memory_working_set_bytes', 'Current working set of the container in bytes', [
      ...perContainer(({ memory }) => [memory?.workingSetBytes, memory?.time]),
    ]),
    gauge('container_start_time_seconds', 'Start time of the container since unix epoch in seconds', [
      ...perContainer(({ startTime }) => [
        startTime === undefined ? undefined : Date.parse(startTime) / 1000,
        undefined,
      ]),
    ]),
    gauge('container_swap_usage_bytes', 'Current amount of the container swap usage in bytes', [
      ...perContainer(({ swap }) => [swap?.swapUsageBytes, swap?.time]),
    ]),
    counter('node_cpu_usage_seconds_total', 'Cumulative cpu time consumed by the node in core-seconds', [
      ...sample({}, seconds(node.cpu?.usageCoreNanoSeconds), node.cpu?.time),
    ]),
    gauge('node_memory_working_set_bytes', 'Current working set of the node in bytes', [
      ...sample({}, node.memory?.workingSetBytes, node.memory?.time),
    ]),
    counter('pod_cpu_usage_seconds_total', 'Cumulative cpu time consumed by the pod in core-seconds', [
      ...perPod(({ cpu }) => [seconds(cpu?.usageCoreNanoSeconds), cpu?.time]),
    ]),
    gauge('pod_memory_working_set_bytes', 'Current working set of the pod in bytes', [
      ...perPod(({ memory }) => [memory?.workingSetBytes, memory?.time]),
    ]),
    gauge('resource_scrape_error', '1 if there was an error while getting container metrics, 0 otherwise', [
      { labels: {}, value: 0 },
    ]),
  ];
}

function counter(name: string, help: string, samples: Sample[]): Family {
  return { name, help, type: 'counter', samples };
}

function gauge(name: string, help: string, samples: Sample[]): Family {
  return { name, help, type: 'gauge', samples };
}

function sample(labels: Record<string, string>, value: number | undefined, time: string | undefined): Sample[] {
  return value === undefined || Number.isNaN(value) ? [] : [{ labels, value, time }];
}

function seconds(nano: number | undefined): number | undefined {
  return nano === undefined ? undefined : nano / NANO;
}

function podLabels({ podRef }: PodStats): Record<string, string> {
  return { namespace: podRef.namespace, pod: podRef.name };
}

/** Names of Kubernetes objects need no escaping. */
function labelText(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function timeText(time: string | undefined): string {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? '' : ` ${ms}`;
}
