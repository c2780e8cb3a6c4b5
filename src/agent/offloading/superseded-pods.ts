import { HOLD_MS, isReplacementPending, isSuperseded } from '../../core/failover/superseded.ts';
import type { Pod } from '../../core/kube-objects.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';

/** Pods whose peer came back after they were replaced: each stays a while for what replaces it. */
export class SupersededPods {
  readonly #deps: { pods: Store<Pod>; clock: Clock };
  /** Monotonic ms until when a pod may stay, by UID. */
  readonly #until = new Map<string, number>();

  constructor(deps: { pods: Store<Pod>; clock: Clock }) {
    this.#deps = deps;
  }

  /** How long the pod may yet stay; undefined when nothing holds it. To be asked while its peer is connected. */
  leftMs(pod: Pod | undefined): number | undefined {
    if (pod === undefined || !isSuperseded(pod)) return undefined;
    const { pods, clock } = this.#deps;
    if (!isReplacementPending(pod, pods.list())) return undefined;
    const now = clock.monotonic();
    const { uid = '' } = pod.metadata;
    const until = this.#until.get(uid) ?? now + HOLD_MS;
    this.#until.set(uid, until);
    return Math.max(0, until - now);
  }

  release(uid: string): void {
    this.#until.delete(uid);
  }
}
