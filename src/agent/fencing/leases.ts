import { CodedError, messageOf } from '../../core/coded-error.ts';
import { RENEW_EVERY_MS } from '../../core/fencing/lease.ts';
import { leaseEndsAtAfter, PauseWatch } from '../../core/fencing/pause.ts';
import { objectKey, parseObjectKey } from '../../core/kube-objects.ts';
import { guestKeyOf, type ShadowPod } from '../../core/shadow-pod/shadow-pod.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { withDeadline } from '../../runtime/deadline.ts';
import type { Logger } from '../../runtime/logger.ts';
import { NAMED_LEASE_PROTOCOL } from '../../wire/endpoints.ts';
import type { PeerLink, PeerLinks, PodLeases } from '../ports.ts';
import type { PodGuard } from './guard-line.ts';
import type { FencedPod, KeptLeases, LeaseMemory } from './lease-memory.ts';

export interface LeasesDeps {
  shadowPods: Store<ShadowPod>;
  links: PeerLinks;
  /** Outlives the process. */
  memory: LeaseMemory;
  guard: PodGuard;
  /** Ms of a clock that goes on while the machine sleeps. */
  uptime(): number;
  clock: Clock;
  logger: Logger;
}

const TICK_MS = 250;
const ASK_WITHIN_MS = 2_000;
/**
 * An agent that knows of no lease (the machine started, or the agent's pod is a new one) has this long to get one before it
 * stops what runs: peers have to be reached first. Pods that start meanwhile wait for the lease (gate).
 */
const FIRST_LEASE_MS = 20_000;

/** In place of a consumer, before the UID of a pod that should have ended. */
const OVERDUE = 'overdue/';

/** The provider's side of fencing: stops a consumer's fenced pods when it has been out of contact with it for too long. */
export class Leases implements PodLeases {
  readonly #deps: LeasesDeps;
  readonly #startedAt: number;
  readonly #pauses: PauseWatch;
  readonly #askedAt = new Map<string, number>();
  readonly #asking = new Map<string, Promise<void>>();
  /** When the running question was sent. */
  readonly #sentAt = new Map<string, number>();
  /** Pods (`guestKey`) whose time is over. That is final: their replacements may run by now. */
  readonly #fenced = new Set<string>();
  /** Pods that should have ended, by UID: since when (uptime), and whose they are. */
  readonly #overdue = new Map<string, { since: number; key: string }>();
  readonly #listeners: ((key: string) => void)[] = [];
  /** UIDs of the pods here that the guard knows; undefined before it was told anything: it may know some of former times. */
  #guarded: ReadonlySet<string> | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  /** Why the guard does not know what it should. */
  #guardProblem: string | undefined;

  constructor(deps: LeasesDeps) {
    this.#deps = deps;
    this.#startedAt = deps.uptime();
    this.#pauses = new PauseWatch({ now: () => deps.clock.now(), uptime: deps.uptime });
  }

  onChange(listener: (key: string) => void): void {
    this.#listeners.push(listener);
  }

  kill(shadow: ShadowPod, podUid: string): void {
    if (this.#overdue.has(podUid)) return;
    const key = objectKey(shadow);
    this.#deps.logger.warn(
      { pod: key, consumer: shadow.spec.originCluster },
      'a pod did not end in time; it is killed',
    );
    this.#overdue.set(podUid, { since: this.#deps.uptime(), key });
  }

  isFenced(shadow: ShadowPod): boolean {
    return this.#fenced.has(guestKeyOf(shadow));
  }

  mayRun(shadow: ShadowPod): boolean {
    const afterMs = fencingMs(shadow);
    if (afterMs === undefined) return true;
    if (this.isFenced(shadow)) return false;
    const askedAt = this.#askedAt.get(shadow.spec.originCluster);
    return askedAt !== undefined && this.#deps.uptime() < leaseEndsAtAfter(askedAt, afterMs, this.#pauses.look());
  }

  mayStart(shadow: ShadowPod): boolean {
    if (fencingMs(shadow) === undefined) return true;
    const uid = shadow.status?.podUID;
    return uid !== undefined && this.#guarded?.has(uid) === true && this.mayRun(shadow);
  }

  async ensure(consumer: string): Promise<void> {
    const askedAt = this.#askedAt.get(consumer);
    const since = Math.max(this.#deps.uptime() - 2 * RENEW_EVERY_MS, this.#pauses.look()?.noticedAt ?? 0);
    const isFresh = askedAt !== undefined && askedAt > since;
    // The guard is told with each renewal.
    await (isFresh ? this.#tellGuard(this.#leases()) : this.#renew(consumer));
    // It would wait for that with its room taken.
    if (this.#guardProblem !== undefined) throw new CodedError('Unavailable', this.#guardProblem);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { shadowPods, memory, clock } = this.#deps;
    for (const [consumer, askedAt] of (await memory.load()).askedAt)
      if (!consumer.startsWith(OVERDUE)) this.#askedAt.set(consumer, askedAt);
    await shadowPods.whenSynced();
    while (!signal.aborted) {
      const held = this.#held();
      for (const [consumer, shadows] of held) {
        this.#expire(consumer, shadows);
        this.#renewIfDue(consumer);
      }
      const leases = this.#leases(held);
      // Pods wait for that before they start; a guard that starts anew may know nothing.
      const isNews = uidsOf(leases.pods).symmetricDifference(this.#guarded ?? new Set()).size > 0;
      const isWanted = leases.pods.length > 0 || this.#guarded === undefined;
      const isDue = isWanted && this.#deps.uptime() - this.#toldAt >= RENEW_EVERY_MS;
      if (isNews || isDue) await this.#tellGuard(leases);
      await clock.sleep(TICK_MS, signal).catch(() => {});
    }
  }

  /** Fenced pods that have not ended, by consumer. */
  #held(): Map<string, ShadowPod[]> {
    const held = new Map<string, ShadowPod[]>();
    const keys = new Set<string>();
    for (const shadow of this.#deps.shadowPods.list()) {
      if (fencingMs(shadow) === undefined || shadow.status?.terminal !== undefined) continue;
      const { originCluster } = shadow.spec;
      keys.add(guestKeyOf(shadow));
      held.set(originCluster, [...(held.get(originCluster) ?? []), shadow]);
    }
    for (const key of this.#fenced) if (!keys.has(key)) this.#fenced.delete(key);
    return held;
  }

  #expire(consumer: string, shadows: readonly ShadowPod[]): void {
    const { uptime } = this.#deps;
    const askedAt = this.#askedAt.get(consumer);
    const pause = this.#pauses.look();
    for (const shadow of shadows) {
      const afterMs = fencingMs(shadow) ?? 0;
      const endsAt =
        askedAt === undefined ? this.#startedAt + FIRST_LEASE_MS : leaseEndsAtAfter(askedAt, afterMs, pause);
      if (uptime() >= endsAt)
        this.#fence(shadow, 'out of contact with the home of a fenced pod for too long; the pod is stopped');
    }
  }

  #fence(shadow: ShadowPod, why: string): void {
    if (this.isFenced(shadow)) return;
    this.#fenced.add(guestKeyOf(shadow));
    this.#deps.logger.warn({ pod: objectKey(shadow), consumer: shadow.spec.originCluster }, why);
    this.#tell(shadow);
  }

  #renewIfDue(consumer: string): void {
    const lastAt = Math.max(this.#sentAt.get(consumer) ?? 0, this.#askedAt.get(consumer) ?? 0);
    const isPaused = (this.#pauses.look()?.noticedAt ?? 0) > lastAt;
    if (!isPaused && this.#deps.uptime() - lastAt < RENEW_EVERY_MS) return;
    this.#renew(consumer).catch((error: unknown) =>
      this.#deps.logger.debug({ consumer, problem: messageOf(error) }, 'no lease for fenced pods'),
    );
  }

  #renew(consumer: string): Promise<void> {
    const running = this.#asking.get(consumer);
    if (running !== undefined) return running;
    const asking = this.#ask(consumer).finally(() => this.#asking.delete(consumer));
    this.#asking.set(consumer, asking);
    return asking;
  }

  async #ask(consumer: string): Promise<void> {
    const { links, uptime, clock } = this.#deps;
    const sentAt = uptime();
    this.#sentAt.set(consumer, sentAt);
    const link = links.get(consumer);
    if (link === undefined) throw new Error('it is no member any more');
    const asked = (this.#held().get(consumer) ?? []).map(({ spec }) => spec.originUID);
    const ended = await withDeadline(clock, { ms: ASK_WITHIN_MS }, (signal) => renewLease(link, asked, signal));
    const shadows = this.#held().get(consumer) ?? [];
    // Whose time was over before the answer came stays stopped: it may run elsewhere.
    this.#expire(consumer, shadows);
    const isEnded = new Set(ended);
    for (const shadow of shadows)
      if (isEnded.has(shadow.spec.originUID))
        this.#fence(shadow, 'the home of a fenced pod has it no more; it is stopped');
    const waited = shadows.filter((shadow) => !this.mayRun(shadow));
    this.#askedAt.set(consumer, sentAt);
    for (const shadow of waited) this.#tell(shadow);
    await this.#keep(this.#leases());
  }

  async #keep(leases: KeptLeases): Promise<void> {
    const { memory, logger } = this.#deps;
    const kept = memory
      .save(leases)
      .catch((err: unknown) => logger.warn({ err }, 'leases of fenced pods not kept over a restart of the agent'));
    await Promise.all([kept, this.#tellGuard(leases)]);
  }

  /** As they are now: what is told later may be older than that. */
  #leases(held = this.#held()): KeptLeases {
    const overdue = this.#overduePods();
    const since = overdue.map(({ uid, consumer }): [string, number] => [consumer, this.#overdue.get(uid)?.since ?? 0]);
    const fenced = fencedPodsOf(held).filter(({ uid }) => !this.#overdue.has(uid));
    return { askedAt: new Map([...this.#askedAt, ...since]), pods: [...fenced, ...overdue] };
  }

  /** To the guard they are fenced pods whose time is over; no home can give them more. */
  #overduePods(): FencedPod[] {
    return [...this.#overdue].flatMap(([uid, { key }]) => {
      const shadow = this.#deps.shadowPods.get(key);
      if (shadow?.status?.podUID === uid && shadow.status.terminal === undefined)
        return [{ ...parseObjectKey(key), uid, consumer: `${OVERDUE}${uid}`, afterMs: 0 }];
      this.#overdue.delete(uid);
      return [];
    });
  }

  async #tellGuard(leases: KeptLeases): Promise<void> {
    const { guard, logger, uptime } = this.#deps;
    this.#toldAt = uptime();
    try {
      await guard.tell(leases);
      this.#guarded = uidsOf(leases.pods);
      if (this.#guardProblem !== undefined) logger.info({}, 'the guard of fenced pods answers');
      this.#guardProblem = undefined;
    } catch (error) {
      const problem = messageOf(error);
      // It is tried again and again.
      if (this.#guardProblem === undefined) logger.warn({ problem }, 'no fenced pod can start');
      this.#guardProblem = problem;
    }
  }

  #tell(shadow: ShadowPod): void {
    for (const listener of this.#listeners) listener(objectKey(shadow));
  }
}

function fencedPodsOf(held: ReadonlyMap<string, ShadowPod[]>): FencedPod[] {
  return [...held].flatMap(([consumer, shadows]) =>
    shadows.flatMap((shadow) => {
      const { namespace = '', name } = shadow.metadata;
      const uid = shadow.status?.podUID;
      return uid === undefined ? [] : [{ namespace, name, uid, consumer, afterMs: fencingMs(shadow) ?? 0 }];
    }),
  );
}

function uidsOf(pods: readonly FencedPod[]): ReadonlySet<string> {
  return new Set(pods.map(({ uid }) => uid));
}

function fencingMs({ spec }: ShadowPod): number | undefined {
  return spec.fencing === undefined ? undefined : spec.fencing.afterSeconds * 1_000;
}

/**
 * Asks whether these fenced pods (UIDs) of the peer may go on here; throws when it does not say yes in time.
 * @returns those that may not: the peer has no such pods any more
 */
export async function renewLease(link: PeerLink, pods: readonly string[], signal: AbortSignal): Promise<string[]> {
  const body = link.speaks(NAMED_LEASE_PROTOCOL) ? { pods: [...pods] } : null;
  return (await link.call('lease', { body }, signal)).ended ?? [];
}
