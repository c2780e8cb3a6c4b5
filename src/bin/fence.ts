import { uptime } from 'node:os';
import { guardFencedPods } from '../agent/fencing/fence-guard.ts';
import { createLeaseMemory } from '../agent/fencing/lease-memory.ts';
import { FENCE_GRACE_SECONDS } from '../core/fencing/lease.ts';
import { deletePodPlainly } from '../kube/delete-pod.ts';
import { inClusterConnection } from '../kube/in-cluster.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLineLogger } from '../runtime/line-logger.ts';

/** Stops fenced pods whose time is over while the agent cannot. */
const logger = createLineLogger((line) => process.stdout.write(line));
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
const connection = inClusterConnection(process.env);
await guardFencedPods(
  {
    memory: createLeaseMemory(process.env.STATE_FOLDER ?? '/run/headcut'),
    uptime: () => uptime() * 1_000,
    stopPod: (pod) => deletePodPlainly(connection, pod, FENCE_GRACE_SECONDS),
    clock: systemClock,
    logger,
  },
  stop.signal,
);
