import { CodedError } from '../../core/coded-error.ts';
import { type Bucket, type RateLimit, takeTokens } from '../../core/rate-limit.ts';
import type { Clock } from '../../runtime/clock.ts';

/**
 * Writes into this cluster's datastore on behalf of one member: ConfigMaps, Secrets, pods and changes of these. A burst is what a
 * large Deployment and an agent that starts anew need; a kubelet writes 50 times a second at most.
 */
const WRITES: RateLimit = { perSecond: 50, burst: 600 };

/** Whoever asks for many at once does not wait for ever behind those who ask for one: with so many it goes on, in debt. */
const ENOUGH = 10;

/** Paces what members have this agent write, each for itself. */
export class MemberPace {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #limit: RateLimit;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Pick<Clock, 'monotonic'>, limit = WRITES) {
    this.#clock = clock;
    this.#limit = limit;
  }

  /** Throws ResourceExhausted while the member writes too fast. @param count writes, of which none is made then */
  take(cluster: string, count: number): void {
    const asked = { now: this.#clock.monotonic(), count: Math.min(count, this.#limit.burst), atLeast: ENOUGH };
    const bucket = takeTokens(this.#limit, this.#buckets.get(cluster), asked);
    if (bucket === undefined) {
      const message = `this cluster changes pods and objects on the provider faster than ${this.#limit.perSecond} a second; it is tried again`;
      throw new CodedError('ResourceExhausted', message);
    }
    this.#buckets.set(cluster, bucket);
  }
}
