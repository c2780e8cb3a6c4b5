import { type KubeObject, type Node, objectKey, type Pod } from '../../core/kube-objects.ts';
import { lossSettingsFor, lossSettingsOf } from '../../core/loss-settings.ts';
import { type Move, planRebalance } from '../../core/rebalance/plan-rebalance.ts';
import { rebalanceAfterMs } from '../../core/rebalance/rebalance-rule.ts';
import { isForbidden } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { evictPod } from '../../kube/evict-pod.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { NodeIdentities, PeerLinks } from '../ports.ts';

export interface RebalancerDeps {
  /** The agent's own; it may evict pods of real nodes only where it was given the right (manifests/optional/rebalance.yaml). */
  client: Pick<KubeClient, 'create'>;
  pods: Store<Pod>;
  nodes: Store<Node>;
  offloadings: Store<KubeObject>;
  federations: Store<KubeObject>;
  links: PeerLinks;
  identities: Pick<NodeIdentities, 'client'>;
  clock: Clock;
  logger: Logger;
}

const KEY = 'rebalance';
/** A replica is on its way, or a budget says no. */
const NEXT_MOVE_MS = 5_000;
/** Replicas become uneven also without a peer that comes or goes. */
const LOOK_AGAIN_MS = 60_000;
/** So long after one came or went replicas may still be on their way, and are looked at more often. */
const SETTLES_WITHIN_MS = 300_000;

/**
 * Evens out replicas over all members where `spec.rebalance.after` says so: once no peer came or went for that time, one replica of
 * each controller after the other, within disruption budgets. What does not become more even by a move is left alone from then on.
 */
export class Rebalancer {
  readonly controller: Controller;
  readonly #deps: RebalancerDeps;
  /** Since when no peer came or went; monotonic. */
  #calmSince: number;
  /** The skew at which each controller's last move was made, by its UID. */
  readonly #tried = new Map<string, number>();
  /** Controllers whose replicas may not be moved from home. */
  readonly #forbidden = new Set<string>();

  constructor(deps: RebalancerDeps) {
    this.#deps = deps;
    const { clock, logger, links } = deps;
    this.#calmSince = clock.monotonic();
    this.controller = createController({ name: 'rebalance', reconcile: () => this.#reconcile(), clock, logger });
    links.onChange((_id, change) => {
      if (change !== 'state' && change !== 'added' && change !== 'removed') return;
      this.#calmSince = clock.monotonic();
      this.#tried.clear();
      this.#forbidden.clear();
      this.controller.enqueue(KEY);
    });
    for (const store of [deps.offloadings, deps.federations]) store.onChange(() => this.controller.enqueue(KEY));
  }

  async run(signal: AbortSignal): Promise<void> {
    const { pods, nodes, offloadings, federations } = this.#deps;
    await Promise.all([pods, nodes, offloadings, federations].map((store) => store.whenSynced()));
    this.controller.enqueue(KEY);
    await this.controller.run(signal);
  }

  async #reconcile(): Promise<ReconcileResult> {
    const { pods, nodes, clock } = this.#deps;
    if (!this.#isWantedAnywhere()) return undefined;
    const calmForMs = clock.monotonic() - this.#calmSince;
    let nextMs = calmForMs < SETTLES_WITHIN_MS ? NEXT_MOVE_MS : LOOK_AGAIN_MS;
    for (const move of planRebalance({ pods: pods.list(), nodes: nodes.list() })) {
      const afterMs = this.#afterMs(move.pod.metadata.namespace);
      if (afterMs === undefined || !this.#isWorthwhile(move)) continue;
      nextMs = Math.min(nextMs, Math.max(afterMs - calmForMs, NEXT_MOVE_MS));
      if (calmForMs >= afterMs) await this.#evict(move);
    }
    return { requeueAfterMs: nextMs };
  }

  #afterMs(of: string | undefined): number | undefined {
    const { namespace, federation } = lossSettingsFor(of, this.#deps);
    return rebalanceAfterMs(namespace.rebalance, federation.rebalance);
  }

  /** Most clusters have it nowhere, and look at no pods. */
  #isWantedAnywhere(): boolean {
    const { offloadings, federations } = this.#deps;
    return [...offloadings.list(), ...federations.list()].some(
      (one) => rebalanceAfterMs(lossSettingsOf(one).rebalance, undefined) !== undefined,
    );
  }

  #isWorthwhile({ controller, skew }: Move): boolean {
    return !this.#forbidden.has(controller) && (this.#tried.get(controller) ?? Number.POSITIVE_INFINITY) > skew;
  }

  async #evict({ pod, from, to, controller, skew }: Move): Promise<void> {
    const { identities, client, logger } = this.#deps;
    const fields = { pod: objectKey(pod), from, to };
    try {
      if ((await evictPod(identities.client(from) ?? client, pod)) !== undefined) return; // a budget: later
      this.#tried.set(controller, skew);
      logger.info(fields, 'replicas are spread unevenly; one moves');
    } catch (error) {
      if (!isForbidden(error)) throw error;
      this.#forbidden.add(controller);
      logger.warn(
        fields,
        'replicas are spread unevenly, but may not be moved from home: manifests/optional/rebalance.yaml',
      );
    }
  }
}
