import type { RemotePod } from '../../core/exchange/pod-submission.ts';
import type { Pod } from '../../core/kube-objects.ts';
import { initiallyTold, planToldEvents, type ToldEvents } from '../../core/offloading/told-events.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../runtime/clock.ts';
import { recordEvent } from './apply.ts';

/** Records at home what the provider's kubelet, scheduler and controllers say about offloaded pods. */
export class PodEventTeller {
  readonly #clock: Clock;
  readonly #told = new Map<string, ToldEvents>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @returns in how many milliseconds there is something to tell; undefined when nothing waits */
  async tell(local: Pod, remote: RemotePod, node: Pick<KubeClient, 'create'>): Promise<number | undefined> {
    const { uid, events = [] } = remote;
    const before = this.#told.get(uid) ?? initiallyTold(events, local.status?.phase === 'Running');
    const { tell, told, againMs } = planToldEvents(before, events, {
      now: this.#clock.monotonic(),
      starting: (remote.status?.phase ?? 'Pending') === 'Pending',
    });
    for (const { type, lastTimestamp, ...event } of tell)
      await recordEvent(node, local, {
        ...event,
        eventType: type,
        at: timeAtHome(lastTimestamp, this.#clock.now()),
      });
    this.#told.set(uid, told);
    return againMs;
  }

  /** The pod is gone. */
  release(uid: string): void {
    this.#told.delete(uid);
  }
}

/** Events are told soon after they happen: a time far from now is that of a clock that is wrong there. */
const BELIEVED_WITHIN_MS = 10 * 60_000;

function timeAtHome(told: string, now: number): number {
  const at = Date.parse(told);
  return Math.abs(now - at) <= BELIEVED_WITHIN_MS ? at : now;
}
