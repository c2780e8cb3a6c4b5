import { isDeepStrictEqual } from 'node:util';
import { type KubeObject, objectKey } from '../../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, ORIGIN_CLUSTER_LABEL } from '../../core/labels.ts';
import type { HomeService } from '../../core/network/guest-homes.ts';
import { homeServiceOf, isAnswered } from '../../core/service/home-service.ts';
import { type EndpointSlice, SERVICE_NAME_LABEL, type Service } from '../../core/service/service-objects.ts';
import type { Store } from '../../kube/store.ts';
import type { HomeServices } from '../ports.ts';

export interface TwinServicesDeps {
  /** Our copies of peers' Services, in twin namespaces, and their endpoints. */
  services: Store<Service>;
  slices: Store<EndpointSlice>;
  /** Of the agent's own namespace. */
  ownServices: Store<Service>;
  /** Those of them that are for pods of all peers, as NAMESPACE/NAME. */
  forAll: readonly string[];
  /** The member of whose namespace this one is the twin: what the labels of a Service say counts there alone. */
  twinOf(namespace: string): string | undefined;
}

/** What is known of one copy. */
interface Known {
  member: string;
  namespace: string;
  service: HomeService;
}

/** The addresses that the Services of peers have at home, kept with our copies of them: they outlive a restart of either side. */
export class TwinServices implements HomeServices {
  readonly #deps: TwinServicesDeps;
  /** By key of the Service. */
  readonly #known = new Map<string, Known>();
  /** Slices that lead to somebody, by key of their Service. */
  readonly #answered = new Map<string, Set<string>>();
  readonly #listeners: (() => void)[] = [];

  constructor(deps: TwinServicesDeps) {
    this.#deps = deps;
    deps.services.onChange((key) => this.#look(key));
    deps.slices.onChange((key, after, before) => this.#onSlice(key, after, before));
    deps.ownServices.onChange((key, after, before) => {
      if (deps.forAll.includes(key) && after?.spec?.clusterIP !== before?.spec?.clusterIP) this.#tell();
    });
  }

  async whenSynced(): Promise<void> {
    const { services, slices, ownServices } = this.#deps;
    await Promise.all([services, slices, ownServices].map((store) => store.whenSynced()));
  }

  servicesOf(member: string): HomeService[] {
    const byAddress = new Map<string, HomeService>();
    for (const known of this.#known.values()) {
      // Whoever may make Services elsewhere would lead a member's pods to where they like.
      if (known.member !== member || this.#deps.twinOf(known.namespace) !== member) continue;
      // Of two that say the same address, one was there before the other: what is answered counts.
      const other = byAddress.get(known.service.home);
      if (other === undefined || other.empty) byAddress.set(known.service.home, known.service);
    }
    return [...byAddress.values()].sort((a, b) => (a.home < b.home ? -1 : 1));
  }

  local(): string[] {
    const { ownServices, forAll } = this.#deps;
    return forAll.flatMap((key) => ownServices.get(key)?.spec?.clusterIP ?? []);
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #onSlice(key: string, after: EndpointSlice | undefined, before: EndpointSlice | undefined): void {
    const service = serviceKeyOf(after ?? before);
    const answered = this.#answered.get(service) ?? new Set();
    if (after !== undefined && isAnswered(after)) answered.add(key);
    else answered.delete(key);
    if (answered.size > 0) this.#answered.set(service, answered);
    else this.#answered.delete(service);
    this.#look(service);
  }

  #look(key: string): void {
    const before = this.#known.get(key);
    const after = this.#of(key);
    if (isDeepStrictEqual(after, before)) return;
    if (after === undefined) this.#known.delete(key);
    else this.#known.set(key, after);
    this.#tell();
  }

  #of(key: string): Known | undefined {
    const copy = this.#deps.services.get(key);
    if (copy === undefined || copy.metadata.labels?.[MANAGED_BY_LABEL] !== MANAGED_BY) return undefined;
    const { namespace = '', labels } = copy.metadata;
    const member = labels?.[ORIGIN_CLUSTER_LABEL];
    const service = homeServiceOf(copy, this.#answered.has(key));
    return member === undefined || service === undefined ? undefined : { member, namespace, service };
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function serviceKeyOf(slice: KubeObject | undefined): string {
  if (slice === undefined) return '';
  const name = slice.metadata.labels?.[SERVICE_NAME_LABEL] ?? '';
  return objectKey({ ...slice, metadata: { ...slice.metadata, name } });
}
