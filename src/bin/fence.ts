import { uptime } from 'node:os';
import { join } from 'node:path';
import { guardFencedPods, learn } from '../agent/fencing/fence-guard.ts';
import { createLeaseMemory } from '../agent/fencing/lease-memory.ts';
import { killPodProcesses } from '../agent/fencing/pod-processes.ts';
import { GUARD_SOCKET, serveGuard } from '../agent/fencing/serve-guard.ts';
import { FENCE_GRACE_SECONDS } from '../core/fencing/lease.ts';
import { deletePodPlainly } from '../kube/delete-pod.ts';
import { inClusterConnection } from '../kube/in-cluster.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLineLogger } from '../runtime/line-logger.ts';
import { untilNobodyServes } from '../runtime/unix-socket.ts';

/** Stops fenced pods whose time is over while the agent cannot. */
const logger = createLineLogger((line) => process.stdout.write(line));
const stop = new AbortController();
for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
const connection = inClusterConnection(process.env);
const folder = process.env.FENCE_FOLDER ?? '/run/headcut-fence';
const path = join(folder, GUARD_SOCKET);
logger.info({}, 'guard of fenced pods starts; it begins when no other one serves any more');
// In an upgrade the former guard goes on until this one is there, however long its image takes.
await untilNobodyServes(path, systemClock, stop.signal);
if (stop.signal.aborted) process.exit(0);
// Outlives the pod: an agent that is made anew at the same time knows nothing either.
const memory = createLeaseMemory(folder);
let leases = await memory.load();
const line = await serveGuard(
  path,
  async (told) => {
    leases = learn(leases, told);
    await memory.save(leases);
  },
  logger,
);
logger.info({ pods: leases.pods.length }, 'guard of fenced pods ready');
await guardFencedPods(
  {
    leases: () => leases,
    isTold: line.isFound,
    uptime: () => uptime() * 1_000,
    stopPod: (pod) => deletePodPlainly(connection, pod, FENCE_GRACE_SECONDS),
    killPod: killPodProcesses,
    clock: systemClock,
    logger,
  },
  stop.signal,
);
if (!stop.signal.aborted)
  logger.error({}, 'this guard is not found at its socket any more, as when another one has taken its place; it ends');
// Connections of the agent would hold the process. The socket stays: it may be another's by now.
process.exit(stop.signal.aborted ? 0 : 1);
