/**
 * The kubelet's statistics (k8s.io/kubelet/pkg/apis/stats/v1alpha1), as raw JSON with the few fields that are read typed.
 * Times are RFC 3339.
 */

export interface CpuStats {
  time: string;
  usageNanoCores?: number;
  usageCoreNanoSeconds?: number;
  [field: string]: unknown;
}

export interface MemoryStats {
  time: string;
  workingSetBytes?: number;
  usageBytes?: number;
  rssBytes?: number;
  [field: string]: unknown;
}

export interface ContainerStats {
  name: string;
  startTime?: string;
  cpu?: CpuStats;
  memory?: MemoryStats;
  swap?: { time: string; swapUsageBytes?: number };
  [field: string]: unknown;
}

/** What a pod uses, whatever its name. */
export interface PodUsage {
  startTime?: string;
  containers?: ContainerStats[];
  cpu?: CpuStats;
  memory?: MemoryStats;
  [field: string]: unknown;
}

export interface PodStats extends PodUsage {
  podRef: { name: string; namespace: string; uid: string };
}

export interface NodeStats {
  nodeName: string;
  startTime?: string;
  cpu?: CpuStats;
  memory?: MemoryStats;
  [field: string]: unknown;
}

export interface Summary {
  node: NodeStats;
  pods: PodStats[];
}

/** What a provider tells a consumer of one of its pods: the UID on the consumer, and the statistics without the provider's names. */
export interface RemotePodStats {
  uid: string;
  stats: PodUsage;
}

/** Fields that name objects of the provider. */
const PROVIDER_ONLY = new Set(['podRef']);

/**
 * The statistics of one peer's pods.
 * @param originUids the UID on the consumer, by the UID of the real pod here
 */
export function statsOfPods(summaries: readonly Summary[], originUids: ReadonlyMap<string, string>): RemotePodStats[] {
  return summaries.flatMap(({ pods }) =>
    pods.flatMap((pod) => {
      const uid = originUids.get(pod.podRef.uid);
      return uid === undefined ? [] : [{ uid, stats: withoutProvider(pod) }];
    }),
  );
}

function withoutProvider(pod: PodStats): PodUsage {
  return Object.fromEntries(Object.entries(pod).filter(([name]) => !PROVIDER_ONLY.has(name)));
}

/** Only what `?only_cpu_and_memory=true` of a kubelet has. */
export function onlyCpuAndMemory(stats: PodUsage): PodUsage {
  const { startTime, cpu, memory, containers, process_stats, swap } = stats;
  const kept = { startTime, cpu, memory, process_stats, swap };
  return {
    ...Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined)),
    containers: (containers ?? []).map(({ name, startTime: since, cpu: used, memory: held, swap: swapped }) => ({
      name,
      ...(since === undefined ? {} : { startTime: since }),
      ...(used === undefined ? {} : { cpu: used }),
      ...(held === undefined ? {} : { memory: held }),
      ...(swapped === undefined ? {} : { swap: swapped }),
    })),
  };
}
