import type { Service } from '../../core/service/service-objects.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { KnownNames } from '../ports.ts';

export interface KnownServicesDeps {
  /** Our copies of peers' Services, in twin namespaces. */
  services: Store<Service>;
  clock: Clock;
}

/**
 * kube-proxy looks at changes at most once a second (`minSyncPeriod`), and then needs a moment to write its rules. A connection
 * that is tried before goes nowhere and stays so, however often its first packet is sent again: connection tracking has noted
 * that it is not translated.
 */
const USABLE_AFTER_MS = 1_200;

/** Which Services of peers there are here, and since when: names are told once they can be used. */
export class KnownServices implements KnownNames {
  readonly #deps: KnownServicesDeps;
  /** Of those that appeared lately: when, in monotonic ms. */
  readonly #appearedAt = new Map<string, number>();

  constructor(deps: KnownServicesDeps) {
    this.#deps = deps;
    deps.services.onChange((key, after, before) => {
      if (after === undefined) this.#appearedAt.delete(key);
      else if (before === undefined && deps.services.synced) this.#appearedAt.set(key, deps.clock.monotonic());
    });
  }

  usableInMs(service: string): number | undefined {
    const { services, clock } = this.#deps;
    if (!services.synced) return 0;
    if (services.get(service) === undefined) return undefined;
    const leftMs = (this.#appearedAt.get(service) ?? Number.NEGATIVE_INFINITY) + USABLE_AFTER_MS - clock.monotonic();
    if (leftMs > 0) return leftMs;
    this.#appearedAt.delete(service);
    return 0;
  }
}
