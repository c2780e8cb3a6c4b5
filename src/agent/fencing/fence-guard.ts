import { setImmediate } from 'node:timers/promises';
import { GUARD_AFTER_MS, KILL_AFTER_MS, RENEW_EVERY_MS } from '../../core/fencing/lease.ts';
import { leaseEndsAtAfter, PauseWatch } from '../../core/fencing/pause.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { FencedPod, KeptLeases } from './lease-memory.ts';

export interface FenceGuardDeps {
  /** What the agent told last. */
  leases(): KeptLeases;
  /** Whether the agent tells this guard, and not another one that has taken its place. */
  isTold(): boolean;
  /** Ms of a clock that goes on while the machine sleeps. */
  uptime(): number;
  /** Has the API server stop this very pod; resolves also when it is gone already. */
  stopPod(pod: FencedPod): Promise<void>;
  /** Ends what still runs of it; gives how many processes that were. */
  killPod(uid: string): Promise<number>;
  clock: Clock;
  logger: Logger;
}

/**
 * What the guard knows when the agent told it something. An agent whose pod is a new one has not heard the homes of the pods yet: what
 * was known of them before goes on.
 */
export function learn(known: KeptLeases, { askedAt, pods }: KeptLeases): KeptLeases {
  const homes = new Set(pods.map(({ consumer }) => consumer));
  const before = [...known.askedAt].filter(([home]) => homes.has(home));
  return { askedAt: new Map([...before, ...askedAt]), pods };
}

const LOOK_EVERY_MS = 1_000;
/** A guard that starts knows what was so when it ended: an agent that lives has told it more by then. */
const FIRST_LOOK_AFTER_MS = RENEW_EVERY_MS + LOOK_EVERY_MS;

/**
 * Stops fenced pods whose time is over where the agent did not: it is dead, stands still, or waits for the kubelet to start it again,
 * which takes minutes when it crashed often. What runs a few seconds later still is killed: the API server or the kubelet is dead as well.
 * It goes by what the agent told, and asks nobody. Runs until `signal` aborts, or another guard is told instead: what this one
 * knows grows old then.
 */
export async function guardFencedPods(deps: FenceGuardDeps, signal: AbortSignal): Promise<void> {
  const guard = new Guard(deps);
  await deps.clock.sleep(FIRST_LOOK_AFTER_MS, signal).catch(() => {});
  while (!signal.aborted && deps.isTold()) {
    // What was told while this process stood still is read before.
    await setImmediate();
    await guard.look();
    await deps.clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
  }
}

class Guard {
  readonly #deps: FenceGuardDeps;
  readonly #stopped = new Set<string>();
  readonly #stopping = new Set<string>();
  readonly #failing = new Set<string>();
  readonly #pauses: PauseWatch;

  constructor(deps: FenceGuardDeps) {
    this.#deps = deps;
    this.#pauses = new PauseWatch({ now: () => deps.clock.now(), uptime: deps.uptime });
  }

  async look(): Promise<void> {
    const { leases, uptime } = this.#deps;
    const { askedAt, pods } = leases();
    const pause = this.#pauses.look();
    const overdue = pods.flatMap((pod) => {
      const asked = askedAt.get(pod.consumer);
      return asked === undefined ? [] : [{ pod, ms: uptime() - leaseEndsAtAfter(asked, pod.afterMs, pause) }];
    });
    // An API server that does not answer holds up no killing.
    for (const { pod, ms } of overdue) if (ms >= GUARD_AFTER_MS) void this.#stop(pod);
    for (const { pod, ms } of overdue) if (ms >= KILL_AFTER_MS) await this.#kill(pod);
    const known = new Set(pods.map(({ uid }) => uid));
    for (const uids of [this.#stopped, this.#failing]) for (const uid of uids) if (!known.has(uid)) uids.delete(uid);
  }

  async #stop(pod: FencedPod): Promise<void> {
    const { stopPod, logger } = this.#deps;
    if (this.#stopped.has(pod.uid) || this.#stopping.has(pod.uid)) return;
    this.#stopping.add(pod.uid);
    try {
      await stopPod(pod);
      this.#stopped.add(pod.uid);
      this.#failing.delete(pod.uid);
      logger.warn(fieldsOf(pod), 'the home of a fenced pod was out of contact for too long; it is stopped');
    } catch (err) {
      this.#report(pod, err, 'a fenced pod whose time is over cannot be stopped; what runs of it is killed');
    } finally {
      this.#stopping.delete(pod.uid);
    }
  }

  /** Again and again: a kubelet that comes back would start it anew. */
  async #kill(pod: FencedPod): Promise<void> {
    const { killPod, logger } = this.#deps;
    try {
      const processes = await killPod(pod.uid);
      if (processes > 0) logger.warn({ ...fieldsOf(pod), processes }, 'a fenced pod ran on after its time; killed');
    } catch (err) {
      this.#report(pod, err, 'a fenced pod whose time is over cannot be killed');
    }
  }

  /** Once for each pod: it is tried every second. */
  #report(pod: FencedPod, err: unknown, message: string): void {
    if (!this.#failing.has(pod.uid)) this.#deps.logger.error({ ...fieldsOf(pod), err }, message);
    this.#failing.add(pod.uid);
  }
}

function fieldsOf({ namespace, name, consumer }: FencedPod): object {
  return { pod: `${namespace}/${name}`, consumer };
}
