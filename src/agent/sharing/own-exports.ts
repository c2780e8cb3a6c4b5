import { isEqual } from '../../core/is-equal.ts';
import { type KubeObject, type Node, objectKey, type Pod, parseObjectKey } from '../../core/kube-objects.ts';
import { findPodCidr } from '../../core/network/plan-network.ts';
import { type Prefix, parsePrefix } from '../../core/network/prefix.ts';
import { isTerminal } from '../../core/pod-phase.ts';
import type { SentEndpoints } from '../../core/service/sent-service.ts';
import { type EndpointSlice, SERVICE_NAME_LABEL } from '../../core/service/service-objects.ts';
import { exportedAddresses } from '../../core/sharing/exported-addresses.ts';
import { type ServiceExport, SHARE_ANNOTATION } from '../../core/sharing/sharing-objects.ts';
import { isShared } from '../../core/sharing/sharing-rule.ts';
import { type InvalidExport, toOwnExport } from '../../core/sharing/to-told-export.ts';
import { MAX_EXPORTS, type ToldExport } from '../../core/sharing/told-export.ts';
import type { KubeClient } from '../../kube/client.ts';
import { NamespaceWatch } from '../../kube/namespace-watch.ts';
import type { Store } from '../../kube/store.ts';
import { aborted } from '../../runtime/aborted.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PodAddresses } from '../ports.ts';
import type { ExportedPods } from './exported-pods.ts';

export interface OwnExportsDeps {
  client: Pick<KubeClient, 'list' | 'stream'>;
  exports: Store<ServiceExport>;
  namespaces: Store<KubeObject>;
  nodes: Store<Node>;
  /** All pods of this cluster. */
  pods: Store<Pod>;
  /** True for a pod that runs on a peer. */
  isOffloaded(pod: Pod): boolean;
  addresses: PodAddresses;
  exported: ExportedPods;
  clock: Clock;
  logger: Logger;
}

/** What is exported here under one name. */
export type OwnExport =
  | { invalid: InvalidExport }
  /** @property local its endpoints as this cluster itself sees them */
  | { told: ToldExport; local: SentEndpoints[] };

/** How soon to look again while caches or addresses are not known. */
const LOOK_AGAIN_MS = 250;

/** What this member exports: its ServiceExports with the Services and endpoints of these. Keyed by namespace. */
export class OwnExports {
  readonly controller: Controller;
  readonly #deps: OwnExportsDeps;
  readonly #watch: NamespaceWatch;
  /** By namespace, and by name in it. */
  readonly #known = new Map<string, Map<string, OwnExport>>();
  readonly #listeners: ((key: string) => void)[] = [];

  constructor(deps: OwnExportsDeps) {
    this.#deps = deps;
    const { client, clock, logger } = deps;
    this.#watch = new NamespaceWatch({
      client,
      clock,
      logger,
      onChange: (namespace) => this.controller.enqueue(namespace),
    });
    this.controller = createController({
      name: 'own-exports',
      reconcile: async (namespace) => this.#look(namespace),
      clock,
      logger,
    });
    this.#listen();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { exports, pods, namespaces, nodes } = this.#deps;
    await Promise.race([
      Promise.all([exports, pods, namespaces, nodes].map((one) => one.whenSynced())),
      aborted(signal),
    ]);
    await this.controller.run(signal);
    this.#watch.unfollow();
  }

  /** False until all exports are known: until then a missing one proves nothing. */
  get synced(): boolean {
    const { exports, pods, namespaces, addresses } = this.#deps;
    if (!exports.synced || !pods.synced || !namespaces.synced || !addresses.synced) return false;
    return exports.list().every(({ metadata }) => this.#known.has(metadata.namespace ?? ''));
  }

  /** Called with the key (`NAMESPACE/NAME`) of an export that is new, other or gone. */
  onChange(listener: (key: string) => void): void {
    this.#listeners.push(listener);
  }

  get(key: string): OwnExport | undefined {
    const { namespace, name } = parseObjectKey(key);
    return this.#known.get(namespace)?.get(name);
  }

  /** All that are valid. */
  told(): ToldExport[] {
    const all = [...this.#known.values()].flatMap((names) => [...names.values()]);
    return all.flatMap((one) => ('told' in one ? [one.told] : [])).slice(0, MAX_EXPORTS);
  }

  #listen(): void {
    const { exports, namespaces, nodes, pods, addresses } = this.#deps;
    exports.onChange((_key, after, before) => {
      // Its status is ours.
      if (after !== undefined && before !== undefined && isEqual(after.spec, before.spec)) return;
      this.controller.enqueue((after ?? before)?.metadata.namespace ?? '');
    });
    namespaces.onChange((name, after, before) => {
      const share = (one: KubeObject | undefined): unknown => one?.metadata.annotations?.[SHARE_ANNOTATION];
      if (this.#known.has(name) && (share(after) !== share(before) || after === undefined))
        this.controller.enqueue(name);
    });
    pods.onChange((_key, after, before) => {
      const namespace = (after ?? before)?.metadata.namespace ?? '';
      // A slice may name a pod before it was seen here.
      if (this.#known.has(namespace) && addressOf(after) !== addressOf(before)) this.controller.enqueue(namespace);
    });
    const lookAgain = (): void => {
      for (const namespace of this.#known.keys()) this.controller.enqueue(namespace);
    };
    addresses.onChange(lookAgain);
    nodes.onChange((_name, after, before) => {
      if (!isEqual(after?.spec, before?.spec)) lookAgain();
    });
  }

  #look(namespace: string): ReconcileResult {
    const { exports, addresses, exported } = this.#deps;
    const here = exports.list().filter(({ metadata }) => metadata.namespace === namespace);
    if (here.length === 0) {
      this.#watch.unfollow(namespace);
      this.#become(namespace, new Map());
      this.#known.delete(namespace);
      return exported.set(namespace, []);
    }
    this.#watch.follow(namespace);
    const found = this.#watch.of(namespace);
    if (found === undefined) return { requeueAfterMs: LOOK_AGAIN_MS };
    const services = new Map(found.services.map((one) => [one.metadata.name, one]));
    const slices = Map.groupBy(found.slices, ({ metadata }) => metadata.labels?.[SERVICE_NAME_LABEL] ?? '');
    const now = here.map((one): [string, OwnExport] => {
      const { name } = one.metadata;
      return [name, this.#toOwn(one, services.get(name), slices.get(name) ?? [])];
    });
    // Also before images are known: what was open before the agent started is not closed for as long.
    exported.set(namespace, this.#openIn(namespace, now));
    if (!addresses.synced) return { requeueAfterMs: LOOK_AGAIN_MS };
    this.#become(namespace, new Map(now));
    return undefined;
  }

  #openIn(namespace: string, now: readonly [string, OwnExport][]): string[] {
    const { pods, isOffloaded } = this.#deps;
    const local = now.flatMap(([, own]) => ('told' in own ? own.local : []));
    const here = pods.list().filter(({ metadata }) => metadata.namespace === namespace);
    return exportedAddresses(local, { pods: here, isOffloaded, podNetwork: this.#podNetwork() });
  }

  #podNetwork(): Prefix | undefined {
    const found = findPodCidr(this.#deps.nodes.list());
    return 'refused' in found ? undefined : parsePrefix(found.podCidr);
  }

  #toOwn(one: ServiceExport, service: Parameters<typeof toOwnExport>[1], slices: readonly EndpointSlice[]): OwnExport {
    const { namespaces, pods, isOffloaded, addresses } = this.#deps;
    const { namespace = '' } = one.metadata;
    const around = namespaces.get(namespace);
    if (around !== undefined && !isShared('export', around)) return { invalid: notShared(namespace) };
    const seen = { slices, pod: (name: string) => pods.get(`${namespace}/${name}`), isOffloaded };
    const own = toOwnExport(one, service, { ...seen, toImage: (local) => addresses.toImage(local) });
    if ('invalid' in own) return own;
    const local = toOwnExport(one, service, { ...seen, toImage: (address) => address });
    return { told: own.told, local: 'told' in local ? local.told.endpoints : [] };
  }

  #become(namespace: string, now: Map<string, OwnExport>): void {
    const before = this.#known.get(namespace) ?? new Map<string, OwnExport>();
    const isNew = !this.#known.has(namespace);
    this.#known.set(namespace, now);
    for (const name of new Set([...before.keys(), ...now.keys()])) {
      if (isNew || !isEqual(before.get(name), now.get(name)))
        for (const listener of this.#listeners) listener(objectKey({ metadata: { namespace, name } }));
    }
  }
}

function notShared(namespace: string): InvalidExport {
  const message = `namespace ${namespace} exports nothing: its annotation ${SHARE_ANNOTATION} closes it, or it is one that every cluster has and that the annotation (Both or Export) does not open`;
  return { reason: 'NotShared', message };
}

function addressOf(pod: Pod | undefined): string {
  return `${pod?.spec.nodeName ?? ''} ${pod?.status?.podIP ?? ''} ${isTerminal(pod?.status)}`;
}
