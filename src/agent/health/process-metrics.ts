import { collectDefaultMetrics, type Registry } from 'prom-client';
import { PROCESS_PREFIX } from './metrics.ts';

/** Long enough never to happen: the longest time that a timer can have. */
const NEVER_MS = 2 ** 31 - 1;
const LAG_STATISTICS = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'];

/**
 * What Node tells of its process. The statistics of the event loop's lag are left out: they take a timer that wakes the
 * process a hundred times a second, for all its life. What the lag is at the time of the question is told still.
 */
export function collectProcessMetrics(register: Registry): void {
  collectDefaultMetrics({ register, prefix: PROCESS_PREFIX, eventLoopMonitoringPrecision: NEVER_MS });
  for (const statistic of LAG_STATISTICS)
    register.removeSingleMetric(`${PROCESS_PREFIX}nodejs_eventloop_lag_${statistic}_seconds`);
}
