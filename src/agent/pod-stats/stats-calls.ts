import type { CallHandlers } from '../../peering/serving.ts';
import type { PodStatsSource } from '../ports.ts';

/** What peers ask of what their pods here use. */
export function createStatsCalls(source: PodStatsSource): Pick<CallHandlers, 'stats'> {
  return {
    stats: async ({ peerId, query }) => ({
      pods: await source.statsFor(peerId, { onlyCpuAndMemory: query.only_cpu_and_memory === true }),
    }),
  };
}
