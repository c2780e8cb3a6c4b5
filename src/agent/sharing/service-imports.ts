import { isEqual } from '../../core/is-equal.ts';
import { type KubeObject, type Pod, parseObjectKey } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../../core/labels.ts';
import type { SentEndpoint } from '../../core/service/sent-service.ts';
import type { Endpoint, EndpointSlice, Service } from '../../core/service/service-objects.ts';
import { type ExportConflict, mergeExports } from '../../core/sharing/merge-exports.ts';
import {
  conditionsAfter,
  exportConditions,
  importConditions,
  toServiceImport,
} from '../../core/sharing/object-changes.ts';
import { type ImportPlan, planImport, type WantedImport } from '../../core/sharing/plan-import.ts';
import {
  IMPORT_LABEL,
  isOurs,
  type ServiceExport,
  type ServiceImport,
  SHARED_NAME_LABEL,
} from '../../core/sharing/sharing-objects.ts';
import { exportKey, type SourceExport } from '../../core/sharing/told-export.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PodsByAddress } from '../../kube/pods-by-address.ts';
import { SERVICE_EXPORTS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import { aborted } from '../../runtime/aborted.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import { EXPORTS_PROTOCOL } from '../../wire/endpoints.ts';
import type { PeerLink, PeerLinks, PodAddresses } from '../ports.ts';
import { ImportObjects } from './import-objects.ts';
import type { KnownExports } from './known-exports.ts';
import type { OwnExports } from './own-exports.ts';

export interface ServiceImportsDeps {
  client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'replace' | 'delete'>;
  own: OwnExports;
  known: KnownExports;
  /** Why a peer does not take an export of ours. */
  problemOf(key: string): string | undefined;
  exports: Store<ServiceExport>;
  imports: Store<ServiceImport>;
  /** Those that imports have their addresses of, and their slices. */
  services: Store<Service>;
  slices: Store<EndpointSlice>;
  namespaces: Store<KubeObject>;
  pods: Store<Pod>;
  links: PeerLinks;
  addresses: PodAddresses;
  self: { id: string; name(): string };
  /** Whether what a peer exports is imported into this namespace. */
  mayImport(namespace: string, link: PeerLink): boolean;
  clock: Clock;
  logger: Logger;
}

const LOOK_AGAIN_MS = 250;
/** Somebody may have removed what was in the way. */
const BLOCKED_RETRY_MS = 60_000;

/**
 * Computes, for each name under which anything is exported, what is imported here, and says on the own exports what conflicts. Each
 * member does so for itself. Keyed by `NAMESPACE/NAME`.
 */
export class ServiceImports {
  readonly controller: Controller;
  readonly #deps: ServiceImportsDeps;
  readonly #objects: ImportObjects;
  /** The running pods here by address: of guests, and of this cluster's own. */
  readonly #podsByAddress: PodsByAddress;
  #isRunning = false;
  /** Imports that the API server refused, by key: what was to be, and until when (monotonic ms) it is not tried again. */
  readonly #refused = new Map<string, { text: string; until: number }>();

  constructor(deps: ServiceImportsDeps) {
    this.#deps = deps;
    const { client, services, slices, imports, exports, clock, logger } = deps;
    this.#podsByAddress = new PodsByAddress(deps.pods);
    const onStale = (key: string): void => this.look(key);
    this.#objects = new ImportObjects({ client, services, slices, imports, exports, onStale });
    this.controller = createController({
      name: 'service-imports',
      reconcile: (key) => this.#reconcile(key),
      clock,
      logger,
      concurrency: 16,
    });
    this.#listen();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { exports, imports, services, slices, namespaces, pods } = this.#deps;
    const synced = Promise.all([exports, imports, services, slices, namespaces, pods].map((one) => one.whenSynced()));
    await Promise.race([synced, aborted(signal)]);
    if (signal.aborted) return;
    this.#isRunning = true;
    this.lookAgain();
    await this.controller.run(signal);
  }

  /** What is to be under this key may be another by now. Before all is known here nothing waits for that: all is looked at then. */
  look(key: string): void {
    if (this.#isRunning) this.controller.enqueue(key);
  }

  /** Who may share what may be another by now. */
  lookAgain(): void {
    if (!this.#isRunning) return;
    for (const key of this.#keys()) this.look(key);
  }

  /** Names of all that is exported anywhere, and of what was imported and may have to go. */
  #keys(): Set<string> {
    const { own, known, exports, imports, services, slices } = this.#deps;
    const named = ({ metadata }: KubeObject, name = metadata.name): string => `${metadata.namespace ?? ''}/${name}`;
    return new Set([
      ...own.told().map(({ namespace, name }) => `${namespace}/${name}`),
      ...known.keys(),
      ...[...exports.list(), ...imports.list()].map((one) => named(one)),
      ...services.list().map((one) => named(one, one.metadata.labels?.[IMPORT_LABEL])),
      ...slices.list().map((one) => named(one, one.metadata.labels?.[SHARED_NAME_LABEL])),
    ]);
  }

  #listen(): void {
    const { own, known, exports, imports, services, slices, namespaces, links, addresses } = this.#deps;
    own.onChange((key) => this.look(key));
    known.onChange((key) => (key === '' ? this.lookAgain() : this.look(key)));
    exports.onChange((key) => this.look(key));
    imports.onChange((key) => this.look(key));
    const enqueue = (label: string) => (_key: string, after?: KubeObject, before?: KubeObject) => {
      const { namespace = '', labels } = (after ?? before)?.metadata ?? {};
      const name = labels?.[label];
      if (name !== undefined) this.look(`${namespace}/${name}`);
    };
    services.onChange(enqueue(IMPORT_LABEL));
    slices.onChange(enqueue(SHARED_NAME_LABEL));
    namespaces.onChange((name, after, before) => {
      const facts = (one: KubeObject | undefined): unknown => [
        one?.metadata.annotations,
        one?.metadata.labels,
        one?.metadata.deletionTimestamp,
      ];
      if (isEqual(facts(after), facts(before))) return;
      for (const key of this.#keys()) if (key.startsWith(`${name}/`)) this.look(key);
    });
    links.onChange((id, change) => {
      const link = links.get(id);
      // A build that knows nothing of exports takes none back either.
      const isSilent = link?.state === 'Connected' && !link.speaks(EXPORTS_PROTOCOL);
      if (change === 'removed' || isSilent) known.forget(id);
      if (change === 'state' || change === 'removed' || change === 'pods') this.lookAgain();
    });
    addresses.onChange(() => this.lookAgain());
  }

  async #reconcile(key: string): Promise<ReconcileResult> {
    const { addresses, links, own } = this.#deps;
    // Nothing is taken away because it is not known yet whose it is.
    if (!addresses.synced || !links.synced) return { requeueAfterMs: LOOK_AGAIN_MS };
    const sources = this.#sourcesOf(key);
    const plan = this.#plan(key, sources);
    const result = await this.#apply(key, plan);
    await this.#sayOfExport(key, sources, plan);
    return own.synced ? result : { requeueAfterMs: LOOK_AGAIN_MS };
  }

  #plan(key: string, sources: readonly SourceExport[]): ImportPlan {
    const { namespace, name } = parseObjectKey(key);
    const { links, self } = this.#deps;
    const { trafficDistribution } = sources[0]?.told ?? {};
    return planImport({
      namespace,
      name,
      exports: sources,
      isUnheard: (cluster) => this.#isUnheard(cluster),
      isReachable: (cluster) => cluster === self.id || isInContact(links.get(cluster)),
      toEndpoint: (cluster, endpoint) => this.#toEndpoint(cluster, endpoint, trafficDistribution !== undefined),
      present: this.#objects.of(namespace, name),
    });
  }

  /** All exports under this name that count here, the oldest first. */
  #sourcesOf(key: string): SourceExport[] {
    const { own, known, links, self, mayImport, namespaces } = this.#deps;
    const { namespace } = parseObjectKey(key);
    const around = namespaces.get(namespace);
    if (around === undefined || around.metadata.deletionTimestamp !== undefined) return [];
    const mine = own.get(key);
    const ofOwn: SourceExport[] =
      mine === undefined || 'invalid' in mine
        ? []
        : [{ cluster: self.id, clusterName: self.name(), told: { ...mine.told, endpoints: mine.local } }];
    const ofOthers = known.of(key).flatMap(([cluster, told]): SourceExport[] => {
      const link = links.get(cluster);
      return link === undefined || !mayImport(namespace, link) ? [] : [{ cluster, clusterName: link.name, told }];
    });
    return [...ofOwn, ...ofOthers].sort((a, b) => a.told.since - b.told.since || (a.cluster < b.cluster ? -1 : 1));
  }

  #isUnheard(cluster: string): boolean {
    const { links, known, own, self } = this.#deps;
    if (cluster === self.id) return !own.synced;
    const link = links.get(cluster);
    // Who is no member any more says nothing, and who is of an earlier version neither.
    if (link === undefined || known.isComplete(cluster)) return false;
    return !(link.state === 'Connected' && !link.speaks(EXPORTS_PROTOCOL));
  }

  /** An endpoint as seen from here: a pod of the exporter there, or one of its pods that runs here, and nothing else. */
  #toEndpoint(cluster: string, endpoint: SentEndpoint, isPreferred: boolean): Endpoint | undefined {
    const { addresses, self } = this.#deps;
    const { address, ready, serving, terminating, hostname } = endpoint;
    const local = cluster === self.id ? address : addresses.toLocal(address);
    const pod = local === undefined ? undefined : this.#podsByAddress.get(local);
    if (cluster !== self.id) {
      const isGuest = pod?.metadata.labels?.[ORIGIN_CLUSTER_LABEL] === cluster;
      if (local === undefined ? addresses.memberOf(address) !== cluster : !isGuest) return undefined;
    }
    const { name, namespace, uid } = pod?.metadata ?? {};
    const nodeName = pod?.spec.nodeName;
    return {
      addresses: [local ?? address],
      conditions: { ready, serving, terminating },
      ...(hostname === undefined ? {} : { hostname }),
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(isPreferred ? { hints: { forNodes: [{ name: nodeName ?? cluster }] } } : {}),
      ...(name === undefined || namespace === undefined || uid === undefined
        ? {}
        : { targetRef: { kind: 'Pod', namespace, name, uid } }),
    };
  }

  async #apply(key: string, plan: ImportPlan): Promise<ReconcileResult> {
    const { namespace, name } = parseObjectKey(key);
    if (plan.type !== 'keep') this.#refused.delete(key);
    switch (plan.type) {
      case 'blocked':
        await this.#objects.removeDerived(namespace, name);
        return { requeueAfterMs: BLOCKED_RETRY_MS };
      case 'withdraw':
        await this.#objects.putSlices({ namespace, name }, plan.written);
        await this.#objects.deleteSlices(plan.slices);
        return undefined;
      case 'remove':
        await this.#objects.remove(namespace, name);
        return undefined;
      case 'keep':
        return this.#keep({ namespace, name }, plan.wanted);
    }
  }

  async #keep(address: { namespace: string; name: string }, wanted: WantedImport): Promise<ReconcileResult> {
    const key = exportKey(address);
    const { text, waitMs } = this.#lastRefusal(key, wanted);
    if (waitMs > 0) return { requeueAfterMs: waitMs };
    const service = await this.#objects.put(address, wanted);
    if (service === undefined) return { requeueAfterMs: BLOCKED_RETRY_MS };
    const made = await this.#objects.putImport(toServiceImport(address, wanted.merged, service));
    if (made === undefined) {
      const { serviceImport } = this.#objects.of(address.namespace, address.name);
      // One that only cannot be changed stays as it was.
      if (serviceImport !== undefined && isOurs(serviceImport)) return { requeueAfterMs: BLOCKED_RETRY_MS };
      // What is taken away again comes back as an event, which is no reason to try once more.
      this.#refused.set(key, { text, until: this.#deps.clock.monotonic() + BLOCKED_RETRY_MS });
      await this.#objects.removeDerived(address.namespace, address.name);
      return { requeueAfterMs: BLOCKED_RETRY_MS };
    }
    this.#refused.delete(key);
    await this.#sayOfImport(made, wanted, service);
    return undefined;
  }

  /** How long an import that was refused is not tried again, unless it is to be another. @returns what it is to be, as a text */
  #lastRefusal(key: string, { merged }: WantedImport): { text: string; waitMs: number } {
    const text = JSON.stringify(merged);
    const last = this.#refused.get(key);
    const waitMs = last?.text === text ? Math.max(0, last.until - this.#deps.clock.monotonic()) : 0;
    return { text, waitMs };
  }

  async #sayOfImport(made: ServiceImport, { merged }: WantedImport, service: Service): Promise<void> {
    const { clock } = this.#deps;
    const clusters = merged.clusters.map((cluster) => ({ cluster })).sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
    const conditions = conditionsAfter(made, importConditions(merged, service), toKubeTime(clock.now()));
    const sameClusters = isEqual(made.status?.clusters, clusters);
    if (conditions === undefined && sameClusters) return;
    const status = { ...(sameClusters ? {} : { clusters }), ...(conditions === undefined ? {} : { conditions }) };
    await this.#objects.sayOfImport(made, status);
  }

  /** What conflicts is said on each own export, by whoever's word. */
  async #sayOfExport(key: string, sources: readonly SourceExport[], plan: ImportPlan): Promise<void> {
    const { clock, own, problemOf } = this.#deps;
    const present = this.#objects.export(key);
    const state = own.get(key);
    if (present === undefined || state === undefined) return;
    const problem = plan.type === 'blocked' ? plan.message : problemOf(key);
    const conflicts = plan.type === 'withdraw' ? undefined : conflictsOf(sources);
    // Before all were heard there may be a conflict as before.
    if (conflicts === undefined && 'told' in state) return;
    const wanted = exportConditions('invalid' in state ? state.invalid : undefined, conflicts ?? [], problem);
    const conditions = conditionsAfter(present, wanted, toKubeTime(clock.now()));
    if (conditions === undefined) return;
    await this.#objects.sayOfExport(SERVICE_EXPORTS, present, { conditions });
  }
}

function conflictsOf([first, ...rest]: readonly SourceExport[]): ExportConflict[] {
  return first === undefined ? [] : mergeExports([first, ...rest]).conflicts;
}

function isInContact(link: PeerLink | undefined): boolean {
  return link?.state === 'Connected' || link?.state === 'Suspect';
}
