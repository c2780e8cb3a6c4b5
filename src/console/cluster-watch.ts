import { messageOf } from '../core/coded-error.ts';
import type { AccessAttributes } from '../core/console/action-rights.ts';
import type { Makers } from '../core/console/workloads-view.ts';
import type { World } from '../core/explain/world.ts';
import { HISTORY_CONFIG_MAP, HISTORY_KEY, type Moment, parseMoments } from '../core/history/moment.ts';
import type { KubeObject, Node, Pod } from '../core/kube-objects.ts';
import { AGENT_NAMESPACE } from '../core/membership/join-secrets.ts';
import { FEDERATION_NAME, type FederationObject, type PeerObject } from '../core/membership/peer-object.ts';
import type { KubeClient } from '../kube/client.ts';
import { Reflector, type ReflectorOptions } from '../kube/reflector.ts';
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  EVENTS,
  FEDERATIONS,
  NAMESPACES,
  NODES,
  OFFLOADINGS,
  PEERS,
  PODS,
  type ResourceType,
  STATEFUL_SETS,
} from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Rights } from './rights.ts';

export interface ClusterWatchDeps {
  client: KubeClient;
  rights: Rights;
  /** For somebody who may look at no others. */
  namespace: string;
  clock: Clock;
  logger: Logger;
}

/** What is watched; the names are those that people read where it may not be seen. */
const KINDS = {
  federation: FEDERATIONS,
  members: PEERS,
  nodes: NODES,
  namespaces: NAMESPACES,
  pods: PODS,
  Offloadings: OFFLOADINGS,
  Deployments: DEPLOYMENTS,
  StatefulSets: STATEFUL_SETS,
  events: EVENTS,
  history: CONFIG_MAPS,
} as const satisfies Record<string, ResourceType>;
type Kind = keyof typeof KINDS;

/**
 * What the user may see of the cluster, kept up to date by one watch a kind, however many pages look at it. Where a kind may not be
 * watched in all namespaces, it is in the user's own.
 */
export class ClusterWatch {
  readonly #deps: ClusterWatchDeps;
  readonly #stores = new Map<Kind, Reflector<KubeObject>>();
  readonly #unseen = new Set<string>();
  #ownNamespace: KubeObject | undefined;
  #failure: { message: string; at: number } | undefined;
  #onChange: (kind: Kind) => void = () => {};

  constructor(deps: ClusterWatchDeps) {
    this.#deps = deps;
  }

  /** What is not shown because it may not be seen. */
  get unseen(): string[] {
    return [...this.#unseen];
  }

  /** Why what is shown may be old; undefined while the API server answers. */
  get failure(): string | undefined {
    const { clock } = this.#deps;
    const isRecent = this.#failure !== undefined && clock.monotonic() - this.#failure.at < FAILURE_COUNTS_MS;
    return isRecent ? this.#failure?.message : undefined;
  }

  onChange(listener: (kind: Kind) => void): void {
    this.#onChange = listener;
  }

  /** Starts watching; resolves when all that may be seen was listed, or failed to be. */
  async open(signal: AbortSignal): Promise<void> {
    const { client, namespace } = this.#deps;
    await Promise.all((Object.keys(KINDS) as Kind[]).map((kind) => this.#openKind(kind)));
    // A user of one namespace may read that one, if not list them.
    if (!this.#stores.has('namespaces'))
      this.#ownNamespace = await client.get(NAMESPACES, { name: namespace }).catch(() => undefined);
    for (const store of this.#stores.values()) void store.run(signal);
    const within = AbortSignal.any([signal, AbortSignal.timeout(FIRST_LIST_MS)]);
    const aborted = new Promise<void>((resolve) => within.addEventListener('abort', () => resolve(), { once: true }));
    await Promise.race([Promise.all([...this.#stores.values()].map((store) => store.whenSynced())), aborted]);
  }

  world(): World {
    const { clock } = this.#deps;
    const peers = this.#list<PeerObject>('members').sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
    const federation = this.#list<FederationObject>('federation').find(
      ({ metadata }) => metadata.name === FEDERATION_NAME,
    );
    return {
      federation: federation ?? { metadata: { name: FEDERATION_NAME } },
      peers,
      nodes: this.#list<Node>('nodes'),
      pods: this.#list<Pod>('pods'),
      namespaces: this.#namespaces(),
      offloadings: this.#list('Offloadings'),
      now: clock.now(),
    };
  }

  makers(): Makers {
    return { deployments: this.#list('Deployments'), statefulSets: this.#list('StatefulSets') };
  }

  pod(key: string): Pod | undefined {
    return this.#stores.get('pods')?.get(key) as Pod | undefined;
  }

  events(): KubeObject[] {
    return this.#list('events');
  }

  /** What the agent remembers; undefined where that may not be read, or it keeps nothing (an older version). */
  moments(): Moment[] | undefined {
    const [found] = this.#list<KubeObject & { data?: Record<string, string> }>('history');
    return found === undefined ? undefined : parseMoments(found.data?.[HISTORY_KEY]);
  }

  #namespaces(): KubeObject[] {
    if (this.#stores.has('namespaces')) return this.#list('namespaces');
    return this.#ownNamespace === undefined ? [] : [this.#ownNamespace];
  }

  #list<T extends KubeObject>(kind: Kind): T[] {
    return (this.#stores.get(kind)?.list() ?? []) as T[];
  }

  async #openKind(kind: Kind): Promise<void> {
    const { client, clock, namespace } = this.#deps;
    const type = KINDS[kind];
    const where = await this.#placeOf(type, kind === 'history' ? AGENT_NAMESPACE : namespace, kind === 'history');
    if (where === undefined) return void this.#unseen.add(kind);
    if (where.namespace !== undefined && kind !== 'history') this.#unseen.add(`${kind} of other namespaces`);
    const options: ReflectorOptions<KubeObject> = {
      client,
      type,
      clock,
      logger: this.#logger(),
      slim,
      ...where,
      ...SELECTORS[kind],
    };
    const store = new Reflector(options);
    store.onChange(() => this.#onChange(kind));
    this.#stores.set(kind, store);
  }

  /** Takes note of watches that fail, and says so where it was said before. */
  #logger(): Logger {
    const { logger, clock } = this.#deps;
    const warn = (fields: object, message: string): void => {
      const { err } = fields as { err?: unknown };
      this.#failure = { message: messageOf(err), at: clock.monotonic() };
      logger.warn(fields, message);
    };
    return { ...logger, warn };
  }

  /** All namespaces, this one, or nowhere. */
  async #placeOf(type: ResourceType, namespace: string, only: boolean): Promise<{ namespace?: string } | undefined> {
    const asked: AccessAttributes = { verb: 'watch', group: type.group, resource: type.plural };
    const { rights } = this.#deps;
    if (!only && (await rights.may(asked))) return {};
    if (!type.namespaced) return undefined;
    return (await rights.may({ ...asked, namespace })) ? { namespace } : undefined;
  }
}

/** A page that waits longer shows what there is. */
const FIRST_LIST_MS = 10_000;
/** A watch that fails tries again, and fails again, sooner. */
const FAILURE_COUNTS_MS = 15_000;

const SELECTORS: Partial<Record<Kind, { fieldSelector: string }>> = {
  // Those of the agent; what is said of one pod is asked for with that.
  events: { fieldSelector: 'source=headcut' },
  history: { fieldSelector: `metadata.name=${HISTORY_CONFIG_MAP}` },
};

/** What nobody is shown is not kept. */
function slim(object: KubeObject): KubeObject {
  const { status } = object as { status?: { images?: unknown } };
  if (status?.images !== undefined) delete status.images;
  return object;
}
