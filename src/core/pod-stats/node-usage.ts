import type { NodeStats, PodStats } from './summary.ts';

/**
 * What a virtual node uses is what our pods there use. Their counters come and go with the pods, so their growth is added up:
 * the node's counter never falls.
 */
export interface NodeUsage {
  totalCoreNanoSeconds: number;
  /** Last seen counter by pod UID. */
  lastByPod: ReadonlyMap<string, number>;
}

/** metrics-server takes a counter, or memory, of 0 for a missing one; a node without pods uses next to nothing, which can be told. */
const LEAST = 1;

export const NO_USAGE: NodeUsage = { totalCoreNanoSeconds: LEAST, lastByPod: new Map() };

/**
 * Adds the growth of the pods' CPU counters since the last look.
 * @param bound UIDs of all pods of the node: a counter that is missing once is not forgotten as long as its pod exists
 */
export function addUsage(before: NodeUsage, pods: readonly PodStats[], bound: ReadonlySet<string>): NodeUsage {
  let totalCoreNanoSeconds = before.totalCoreNanoSeconds;
  const lastByPod = new Map([...before.lastByPod].filter(([uid]) => bound.has(uid)));
  for (const { podRef, cpu } of pods) {
    const now = cpu?.usageCoreNanoSeconds ?? 0;
    const last = before.lastByPod.get(podRef.uid) ?? 0;
    // A counter that fell has started anew.
    totalCoreNanoSeconds += now >= last ? now - last : now;
    lastByPod.set(podRef.uid, now);
  }
  return { totalCoreNanoSeconds, lastByPod };
}

/** The virtual node's own part of the summary. @param at RFC 3339 */
export function nodeStatsOf(
  node: { name: string; startTime: string | undefined; at: string },
  usage: NodeUsage,
  pods: readonly PodStats[],
): NodeStats {
  const sum = (of: (pod: PodStats) => number | undefined): number =>
    pods.reduce((total, pod) => total + (of(pod) ?? 0), 0);
  return {
    nodeName: node.name,
    ...(node.startTime === undefined ? {} : { startTime: node.startTime }),
    cpu: {
      time: node.at,
      usageNanoCores: sum((pod) => pod.cpu?.usageNanoCores),
      usageCoreNanoSeconds: usage.totalCoreNanoSeconds,
    },
    memory: {
      time: node.at,
      usageBytes: sum((pod) => pod.memory?.usageBytes),
      workingSetBytes: Math.max(
        LEAST,
        sum((pod) => pod.memory?.workingSetBytes),
      ),
      rssBytes: sum((pod) => pod.memory?.rssBytes),
    },
  };
}
