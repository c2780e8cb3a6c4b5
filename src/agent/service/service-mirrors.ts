import { CodedError } from '../../core/coded-error.ts';
import { isEqual } from '../../core/is-equal.ts';
import { type KubeObject, objectKey, type Pod } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, ORIGIN_NAMESPACE_LABEL } from '../../core/labels.ts';

import { isTerminal } from '../../core/pod-phase.ts';
import type { Origin } from '../../core/reflection/reflected-object.ts';
import { type MirrorAction, planMirrors, planWithdrawal } from '../../core/service/plan-mirrors.ts';
import type { SentService, ServiceProblem } from '../../core/service/sent-service.ts';
import { type ServiceLimits, usageOf, withinLimits } from '../../core/service/service-limits.ts';
import { type EndpointSlice, SERVICE_NAME_LABEL, type Service } from '../../core/service/service-objects.ts';
import type { ShadowPod } from '../../core/shadow-pod/shadow-pod.ts';
import { isOfOrigin, twinNameAmong } from '../../core/shadow-pod/twin-namespace.ts';
import { ApiError, ignoreGone, isAlreadyExists } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PodsByAddress } from '../../kube/pods-by-address.ts';
import { ENDPOINT_SLICES, type ResourceType, SERVICES } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import { WrittenObjects } from '../../kube/written-objects.ts';
import { aborted } from '../../runtime/aborted.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { ExportedAddresses, PeerLinks, PodAddresses, ServiceMirrorDesk } from '../ports.ts';

export interface ServiceMirrorsDeps {
  client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'replace' | 'delete'>;
  /** The objects of twin namespaces that carry our label. */
  services: Store<Service>;
  slices: Store<EndpointSlice>;
  pods: Store<Pod>;
  shadowPods: Store<ShadowPod>;
  links: PeerLinks;
  addresses: PodAddresses;
  /** The pods of Services that this cluster exports. */
  exported: ExportedAddresses;
  clusterDomain: string;
  /** For each consumer. */
  limits(): ServiceLimits;
  clock: Clock;
  logger: Logger;
}

interface Twin {
  origin: Origin;
  wanted: SentService[];
  /** Those that the consumer may not have, since it has so many. */
  refused: ServiceProblem[];
  /** Those who wait for the end of the next reconcile. */
  waiting: ((problems: ServiceProblem[]) => void)[];
}

/** An answer is due within the consumer's time limit for calls; what takes longer is done all the same. */
const ANSWER_WITHIN_MS = 10_000;
const ADDRESSES_POLL_MS = 250;
/** Somebody may have removed what was in the way. */
const PROBLEM_RETRY_MS = 60_000;

/**
 * The provider side of Services: keeps in each twin namespace the Services of its origin, and EndpointSlices with addresses as
 * seen from here. Keyed by twin namespace. After a restart the objects stay as they are until the consumer told its state anew.
 */
export class ServiceMirrors implements ServiceMirrorDesk {
  readonly controller: Controller;
  readonly #deps: ServiceMirrorsDeps;
  readonly #twins = new Map<string, Twin>();
  readonly #services: WrittenObjects<Service>;
  readonly #slices: WrittenObjects<EndpointSlice>;
  /** The running pods of peers here, by address. */
  readonly #podsByAddress: PodsByAddress;

  constructor(deps: ServiceMirrorsDeps) {
    this.#deps = deps;
    this.#services = new WrittenObjects(deps.services);
    this.#slices = new WrittenObjects(deps.slices);
    this.#podsByAddress = new PodsByAddress(deps.pods, isGuest);
    this.controller = createController({
      name: 'service-mirrors',
      reconcile: (twin) => this.#reconcile(twin),
      clock: deps.clock,
      logger: deps.logger,
      concurrency: 4,
    });
    this.#listen();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { services, slices, pods, shadowPods } = this.#deps;
    const synced = Promise.all([services, slices, pods, shadowPods].map((store) => store.whenSynced()));
    await Promise.race([synced, aborted(signal)]);
    if (!signal.aborted) await this.controller.run(signal);
  }

  async update(peerId: string, namespace: string, services: SentService[]): Promise<ServiceProblem[]> {
    if (!this.#hasPods(this.#nameOf({ cluster: peerId, namespace }))) {
      throw new CodedError('FailedPrecondition', `no pod of namespace ${namespace} is here; send one first`);
    }
    return this.#set({ cluster: peerId, namespace }, services);
  }

  async prepare(peerId: string, namespace: string, services: SentService[]): Promise<void> {
    // What came by `update` is newer than what was packed together with a pod.
    if (this.#twins.has(this.#nameOf({ cluster: peerId, namespace }))) return;
    await this.#set({ cluster: peerId, namespace }, services).catch((error) => {
      this.#deps.logger.warn({ peer: peerId, namespace, err: error }, 'a pod starts before its Services are there');
    });
  }

  #nameOf(origin: Origin): string {
    return twinNameAmong(this.#deps.shadowPods.list(), origin);
  }

  async #set(origin: Origin, services: SentService[]): Promise<ServiceProblem[]> {
    const name = this.#nameOf(origin);
    const known = this.#twins.get(name);
    if (known !== undefined && !isEqual(known.origin, origin))
      throw new CodedError('Conflict', `namespace ${name} on the provider stands for a namespace of another cluster`);
    const waiting = known?.waiting ?? [];
    const done = new Promise<ServiceProblem[]>((resolve) => waiting.push(resolve));
    const { kept, problems } = withinLimits(services, this.#usedElsewhere(name, origin.cluster), this.#deps.limits());
    this.#twins.set(name, { origin, wanted: kept, refused: problems, waiting });
    this.controller.enqueue(name);
    const late = new AbortController();
    const timeout = this.#deps.clock.sleep(ANSWER_WITHIN_MS, late.signal).then((): ServiceProblem[] => {
      throw new CodedError('Unavailable', 'the Services are not written yet; ask again');
    });
    return Promise.race([done, timeout]).finally(() => late.abort());
  }

  #usedElsewhere(name: string, cluster: string): ServiceLimits {
    const others = [...this.#twins].filter(([other, { origin }]) => other !== name && origin.cluster === cluster);
    return usageOf(others.flatMap(([, { wanted }]) => wanted));
  }

  #listen(): void {
    const { services, slices, pods, shadowPods, links, addresses } = this.#deps;
    pods.onChange((_key, after, before) => this.#onPod(after, before));
    shadowPods.onChange((_key, after, before) => {
      const twin = (after ?? before)?.metadata.namespace ?? '';
      if (after === undefined && !this.#hasPods(twin)) this.#drop(twin);
    });
    for (const store of [services, slices] as const) {
      store.onChange((_key: string, after?: KubeObject, before?: KubeObject) =>
        this.#enqueue((after ?? before)?.metadata.namespace ?? ''),
      );
    }
    links.onChange((_id, change) => {
      if (change === 'state' || change === 'removed') this.#enqueueAll();
    });
    addresses.onChange(() => this.#enqueueAll());
    this.#deps.exported.onChange(() => this.#enqueueAll());
  }

  #onPod(after: Pod | undefined, before: Pod | undefined): void {
    const pod = after ?? before;
    if (pod === undefined || !isGuest(pod)) return;
    if (endpointFactsOf(after) !== endpointFactsOf(before)) this.#enqueue(pod.metadata.namespace ?? '');
  }

  /** The twin goes with its last pod, and the Services with it: nobody has to wait for them any more. */
  #drop(name: string): void {
    for (const tell of this.#twins.get(name)?.waiting ?? []) tell([]);
    this.#twins.delete(name);
  }

  #enqueue(twin: string): void {
    if (this.#twins.has(twin)) this.controller.enqueue(twin);
  }

  #enqueueAll(): void {
    const untold = this.#deps.slices.list().map(({ metadata }) => metadata.namespace ?? '');
    for (const twin of new Set([...this.#twins.keys(), ...untold])) this.controller.enqueue(twin);
  }

  #hasPods(twin: string): boolean {
    return this.#deps.shadowPods.list().some((shadow) => shadow.metadata.namespace === twin);
  }

  async #reconcile(name: string): Promise<ReconcileResult> {
    const twin = this.#twins.get(name);
    // Endpoints are not taken away because it is not known yet whose they are.
    if (!this.#deps.addresses.synced) return { requeueAfterMs: ADDRESSES_POLL_MS };
    if (twin === undefined) return this.#withdraw(name);
    const waiting = twin.waiting.splice(0);
    const problems: ServiceProblem[] = [...twin.refused];
    try {
      const refused = new Set<string>();
      for (const action of this.#plan(name, twin)) {
        const service = serviceOf(action);
        if (refused.has(service)) continue;
        const problem = await this.#apply(action);
        if (problem === undefined) continue;
        refused.add(service);
        problems.push({ service, ...problem });
      }
    } catch (error) {
      // Tried again, and then those who wait get their answer.
      twin.waiting.push(...waiting);
      throw error;
    }
    for (const tell of waiting) tell(problems);
    return problems.length === 0 ? undefined : { requeueAfterMs: PROBLEM_RETRY_MS };
  }

  #plan(name: string, { origin, wanted }: Twin): MirrorAction[] {
    const { addresses, clusterDomain } = this.#deps;
    return planMirrors({
      origin,
      clusterDomain,
      wanted,
      // Those of another origin are not ours to change: one of their name stands in the way.
      services: this.#services.list(name).filter((service) => isOfOrigin(service, origin)),
      slices: this.#slices.list(name).filter((slice) => isOfOrigin(slice, origin)),
      twinOf: (namespace) => (namespace === origin.namespace ? name : this.#nameOf({ ...origin, namespace })),
      toLocal: (image) => addresses.toLocal(image),
      podAt: (local) => {
        const pod = this.#podsByAddress.get(local);
        return pod?.metadata.labels?.[ORIGIN_CLUSTER_LABEL] === origin.cluster ? pod : undefined;
      },
      isExported: (local) => this.#deps.exported.hasAddress(local),
      isReachable: (image) => this.#isReachable(image),
    });
  }

  async #withdraw(name: string): Promise<undefined> {
    const actions = planWithdrawal({
      slices: this.#slices.list(name),
      isImage: (address) => this.#deps.addresses.memberOf(address) !== undefined,
      isReachable: (image) => this.#isReachable(image),
    });
    for (const action of actions) await this.#apply(action);
    return undefined;
  }

  #isReachable(image: string): boolean {
    const member = this.#deps.addresses.memberOf(image);
    const state = member === undefined ? undefined : this.#deps.links.get(member)?.state;
    return state === 'Connected' || state === 'Suspect';
  }

  /** @returns why it cannot be done, when the reason is one that trying again at once does not change */
  async #apply(action: MirrorAction): Promise<Problem | undefined> {
    const { client } = this.#deps;
    try {
      switch (action.type) {
        case 'create-service':
          return await this.#create(this.#services, SERVICES, action.service);
        case 'create-slice':
          return await this.#create(this.#slices, ENDPOINT_SLICES, action.slice);
        case 'update-service':
          this.#services.note(await client.patch<Service>(SERVICES, addressOf(action.service), action.patch));
          return undefined;
        case 'replace-slice':
          this.#slices.note(await client.replace<EndpointSlice>(ENDPOINT_SLICES, action.slice));
          return undefined;
        case 'delete-service':
          return await this.#delete(this.#services, SERVICES, action.service);
        case 'delete-slice':
          return await this.#delete(this.#slices, ENDPOINT_SLICES, action.slice);
      }
    } catch (error) {
      if ('service' in action) this.#services.forget(action.service);
      else this.#slices.forget(action.slice);
      return refusalOf(error);
    }
  }

  async #create<T extends KubeObject>(
    written: WrittenObjects<T>,
    type: ResourceType,
    object: T,
  ): Promise<Problem | undefined> {
    const { client } = this.#deps;
    try {
      written.note(await client.create<T>(type, object));
      return undefined;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const existing = await client.get<T>(type, addressOf(object));
    const { [ORIGIN_CLUSTER_LABEL]: cluster = '', [ORIGIN_NAMESPACE_LABEL]: namespace = '' } =
      object.metadata.labels ?? {};
    if (!isOfOrigin(existing, { cluster, namespace })) {
      const message = `${type.kind} ${objectKey(object)} exists there and is not headcut's, or of another origin; it is left alone`;
      return { reason: 'NameTaken', message };
    }
    // Ours, and the cache is behind: now it can be compared.
    written.note(existing);
    this.#enqueue(object.metadata.namespace ?? '');
    return undefined;
  }

  async #delete<T extends KubeObject>(written: WrittenObjects<T>, type: ResourceType, object: T): Promise<undefined> {
    const { uid } = object.metadata;
    await this.#deps.client.delete(type, addressOf(object), uid === undefined ? {} : { uid }).catch(ignoreGone);
    written.noteDeleted(object);
    return undefined;
  }
}

type Problem = Omit<ServiceProblem, 'service'>;

function addressOf(object: KubeObject): { namespace: string; name: string } {
  return { namespace: object.metadata.namespace ?? '', name: object.metadata.name };
}

function serviceOf(action: MirrorAction): string {
  switch (action.type) {
    case 'create-service':
    case 'update-service':
    case 'delete-service':
      return action.service.metadata.name;
    case 'create-slice':
    case 'replace-slice':
    case 'delete-slice':
      return action.slice.metadata.labels?.[SERVICE_NAME_LABEL] ?? '';
  }
}

/** What the API server will not have, however often it is asked (quota, validation, a twin that is being removed). */
function refusalOf(error: unknown): Problem {
  if (error instanceof ApiError && (error.status === 403 || error.status === 422)) {
    return { reason: 'RefusedByProvider', message: error.message };
  }
  throw error;
}

/** What of a pod decides how its endpoints look. */
function endpointFactsOf(pod: Pod | undefined): string {
  const { podIP = '', phase = '', conditions = [] } = pod?.status ?? {};
  const ready = conditions.find((one) => one.type === 'Ready')?.status ?? '';
  return [podIP, isTerminal(pod?.status) ? phase : '', ready, pod?.metadata.deletionTimestamp ?? ''].join(' ');
}

function isGuest({ metadata }: Pod): boolean {
  return metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined;
}
