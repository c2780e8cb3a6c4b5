import { GUARD_AFTER_MS, leaseEndsAt } from '../../core/fencing/lease.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { FencedPod, LeaseMemory } from './lease-memory.ts';

export interface FenceGuardDeps {
  memory: Pick<LeaseMemory, 'load'>;
  /** Ms of a clock that goes on while the machine sleeps. */
  uptime(): number;
  /** Stops this very pod; resolves also when it is gone already. */
  stopPod(pod: FencedPod): Promise<void>;
  clock: Clock;
  logger: Logger;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Stops fenced pods whose time is over where the agent did not: it is dead, stands still, or waits for the kubelet to start it again,
 * which takes minutes when it crashed often. It goes by what the agent wrote down, and asks nobody. Runs until `signal` aborts.
 */
export async function guardFencedPods(deps: FenceGuardDeps, signal: AbortSignal): Promise<void> {
  const { memory, uptime, clock } = deps;
  const stopped = new Set<string>();
  const failing = new Set<string>();
  while (!signal.aborted) {
    const { askedAt, pods } = await memory.load();
    const late = pods.filter(({ consumer, afterMs }) => {
      const asked = askedAt.get(consumer);
      return asked !== undefined && uptime() >= leaseEndsAt(asked, afterMs) + GUARD_AFTER_MS;
    });
    await Promise.all(late.filter(({ uid }) => !stopped.has(uid)).map((pod) => stop(pod, deps, { stopped, failing })));
    const known = new Set(pods.map(({ uid }) => uid));
    for (const uid of stopped) if (!known.has(uid)) stopped.delete(uid);
    await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
  }
}

async function stop(
  pod: FencedPod,
  { stopPod, logger }: FenceGuardDeps,
  { stopped, failing }: { stopped: Set<string>; failing: Set<string> },
): Promise<void> {
  const fields = { pod: `${pod.namespace}/${pod.name}`, consumer: pod.consumer };
  try {
    await stopPod(pod);
    stopped.add(pod.uid);
    failing.delete(pod.uid);
    logger.warn(fields, 'the home of a fenced pod was out of contact for too long; it does not run any more');
  } catch (err) {
    // The API server may be away for a while, and is asked every second.
    if (!failing.has(pod.uid)) logger.error({ ...fields, err }, 'a fenced pod whose time is over cannot be stopped');
    failing.add(pod.uid);
  }
}
