import type { EndpointSlice, Service } from '../core/service/service-objects.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { KubeClient } from './client.ts';
import { Reflector } from './reflector.ts';
import { ENDPOINT_SLICES, SERVICES } from './resources.ts';

export interface NamespaceWatchDeps {
  client: Pick<KubeClient, 'list' | 'stream'>;
  clock: Clock;
  logger: Logger;
  onChange(namespace: string): void;
}

interface Watched {
  stop: AbortController;
  services: Reflector<Service>;
  slices: Reflector<EndpointSlice>;
}

/** Follows the Services and EndpointSlices of some namespaces: of those that somebody asks for, and no others. */
export class NamespaceWatch {
  readonly #deps: NamespaceWatchDeps;
  readonly #watched = new Map<string, Watched>();

  constructor(deps: NamespaceWatchDeps) {
    this.#deps = deps;
  }

  /** Harmless when the namespace is followed already. */
  follow(namespace: string): void {
    if (this.#watched.has(namespace)) return;
    const { client, clock, logger, onChange } = this.#deps;
    const options = { client, namespace, clock, logger };
    const services = new Reflector<Service>({ ...options, type: SERVICES });
    const slices = new Reflector<EndpointSlice>({ ...options, type: ENDPOINT_SLICES });
    const stop = new AbortController();
    this.#watched.set(namespace, { stop, services, slices });
    const told = (): void => onChange(namespace);
    for (const reflector of [services, slices]) {
      reflector.onChange(told);
      void reflector.run(stop.signal);
    }
    // A namespace without a Service has something to tell as well: that there is none.
    void Promise.all([services.whenSynced(), slices.whenSynced()]).then(told);
  }

  /** Ends following one namespace, or all. */
  unfollow(namespace?: string): void {
    for (const [name, watched] of this.#watched) {
      if (namespace !== undefined && name !== namespace) continue;
      watched.stop.abort();
      this.#watched.delete(name);
    }
  }

  /** Undefined until both lists are complete. */
  of(namespace: string): { services: Service[]; slices: EndpointSlice[] } | undefined {
    const watched = this.#watched.get(namespace);
    if (watched?.services.synced !== true || !watched.slices.synced) return undefined;
    return { services: watched.services.list(), slices: watched.slices.list() };
  }
}
