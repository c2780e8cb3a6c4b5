import { type FailoverRule, failoverRuleOf } from '../../core/failover/failover-rule.ts';
import { disruptionPatch, planFailover } from '../../core/failover/plan-failover.ts';
import { type KubeObject, type Node, objectKey, type Pod } from '../../core/kube-objects.ts';
import { PEER_LABEL } from '../../core/labels.ts';
import { lossSettingsFor } from '../../core/loss-settings.ts';
import type { FederationObject } from '../../core/membership/peer-object.ts';
import { ignoreGone } from '../../kube/api-error.ts';
import { EVENTS, PODS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import { inBatches } from '../../runtime/batches.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { NodeIdentities, PeerLinks, PodFencing } from '../ports.ts';

export interface FailoverDeps {
  pods: Store<Pod>;
  nodes: Store<Node>;
  offloadings: Store<KubeObject>;
  federations: Store<FederationObject>;
  links: PeerLinks;
  identities: NodeIdentities;
  fencing: PodFencing;
  /** The data of a pod is on a peer and nowhere else. */
  isPinned?(pod: Pod): boolean;
  clock: Clock;
  logger: Logger;
}

/** All lost peers share what room there is: they are one key. */
const KEY = 'all';
/** How often it is looked whether there is room by now for pods that had nowhere to go. */
const LOOK_AGAIN_MS = 1_000;

/**
 * Replaces pods of lost peers: deletes them here, as their node, so that their controllers make others. It is the agent that
 * does it and not a NoExecute taint, because a taint moves pods also when there is nowhere to go.
 */
export class Failover {
  readonly controller: Controller;
  readonly #deps: FailoverDeps;
  /** When the loss of a peer was noticed, by its ID; monotonic ms. */
  readonly #lostAt = new Map<string, number>();
  #returnedAt: number | undefined;
  /** UIDs of pods that were replaced: known until no peer is lost any more. */
  readonly #evicted = new Set<string>();
  /** UIDs of those that have nowhere to go, which was said. */
  readonly #told = new Set<string>();

  constructor(deps: FailoverDeps) {
    this.#deps = deps;
    const { clock, logger } = deps;
    this.controller = createController({ name: 'failover', reconcile: () => this.#reconcile(), clock, logger });
    deps.links.onChange((id, change) => {
      if (change === 'state' || change === 'added' || change === 'removed') this.#look(id);
    });
    // Settings and pods may change while a peer is away; without a lost peer there is nothing to look at.
    const look = (): void => {
      if (this.#lostAt.size > 0) this.controller.enqueue(KEY);
    };
    for (const store of [deps.pods, deps.nodes, deps.offloadings, deps.federations] as Store<KubeObject>[])
      store.onChange(look);
    deps.identities.onReady(look);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { pods, nodes, offloadings, federations, links } = this.#deps;
    await Promise.all([pods, nodes, offloadings, federations].map((store) => store.whenSynced()));
    for (const { id } of links.list()) this.#look(id);
    await this.controller.run(signal);
  }

  #look(peerId: string): void {
    const now = this.#deps.clock.monotonic();
    if (this.#deps.links.get(peerId)?.state !== 'Unreachable') {
      if (this.#lostAt.delete(peerId)) this.#returnedAt = now;
    } else if (!this.#lostAt.has(peerId)) this.#lostAt.set(peerId, now);
    this.controller.enqueue(KEY);
  }

  async #reconcile(): Promise<ReconcileResult> {
    if (this.#lostAt.size === 0) {
      this.#told.clear();
      this.#evicted.clear();
      return undefined;
    }
    const { pods, nodes, links, clock, logger } = this.#deps;
    // A former member's, which stays for a while, is no place to go.
    const isOpen = ({ metadata: { labels } }: Node): boolean =>
      labels?.[PEER_LABEL] === undefined || links.get(labels[PEER_LABEL]) !== undefined;
    const { evict, stuck, nextInMs } = planFailover({
      lost: this.#lostNodes(),
      nodes: nodes.list().filter(isOpen),
      // The cache may not show yet what was done a moment ago.
      pods: pods.list().filter((pod) => !this.#evicted.has(pod.metadata.uid ?? '')),
      ruleOf: (pod) => this.#ruleOf(pod),
      isPinned: (pod) => this.#deps.isPinned?.(pod) === true,
      returnedAt: this.#returnedAt,
      now: clock.monotonic(),
    });
    await inBatches(evict, (pod) => this.#evict(pod));
    for (const pod of stuck) {
      const { uid = '' } = pod.metadata;
      if (this.#told.has(uid)) continue;
      this.#told.add(uid);
      if (this.#deps.isPinned?.(pod) === true) await this.#tellPinned(pod);
      else
        logger.warn(
          { pod: objectKey(pod) },
          'the peer of a pod is lost, and no other member has room for it; it stays',
        );
    }
    const soonest = Math.min(
      nextInMs ?? Number.POSITIVE_INFINITY,
      stuck.length > 0 ? LOOK_AGAIN_MS : Number.POSITIVE_INFINITY,
    );
    return Number.isFinite(soonest) ? { requeueAfterMs: soonest } : undefined;
  }

  #ruleOf(pod: Pod): FailoverRule {
    const { namespace, federation } = lossSettingsFor(pod.metadata.namespace, this.#deps);
    const stoppedInMs = this.#deps.fencing.stoppedInMs(pod, this.#peerOf(pod));
    return failoverRuleOf(pod, namespace.failover, federation.failover, stoppedInMs);
  }

  #peerOf(pod: Pod): string {
    return this.#deps.nodes.get(pod.spec.nodeName ?? '')?.metadata.labels?.[PEER_LABEL] ?? '';
  }

  #lostNodes(): Map<string, number> {
    const lost = new Map<string, number>();
    for (const node of this.#deps.nodes.list()) {
      const since = this.#lostAt.get(node.metadata.labels?.[PEER_LABEL] ?? '');
      if (since !== undefined) lost.set(node.metadata.name, since);
    }
    return lost;
  }

  /** Said once in a loss, on the pod. */
  async #tellPinned(pod: Pod): Promise<void> {
    const { identities, clock, logger } = this.#deps;
    const { namespace, name, uid = '' } = pod.metadata;
    const { nodeName = '' } = pod.spec;
    const at = toKubeTime(clock.now());
    const event = {
      metadata: {
        name: `${name.slice(0, 150)}.${uid.slice(0, 8)}.volume${clock.now()}`,
        ...(namespace === undefined ? {} : { namespace }),
      },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      type: 'Warning',
      reason: 'WaitsForVolume',
      message: `the member behind node ${nodeName} is lost, and the data of this pod is there: it waits for that member to come back`,
      source: { component: 'headcut', host: nodeName },
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
    };
    logger.warn({ pod: objectKey(pod) }, 'the peer of a pod is lost, and its data is there; it waits');
    await identities.client(nodeName)?.create(EVENTS, event).catch(ignoreGone);
  }

  async #evict(pod: Pod): Promise<void> {
    const { identities, clock, logger } = this.#deps;
    const { namespace, name, uid = '' } = pod.metadata;
    const { nodeName = '' } = pod.spec;
    const node = identities.client(nodeName);
    // Its certificate is on the way; onReady tells when it is there.
    if (node === undefined) return;
    // It came back while others were replaced.
    if (!this.#deps.fencing.letGo(pod, this.#peerOf(pod))) return;
    const now = toKubeTime(clock.now());
    try {
      await node.patch(PODS, { namespace, name, subresource: 'status' }, disruptionPatch(pod, now), 'strategic');
      await node.delete(PODS, { namespace, name }, { uid });
      this.#evicted.add(uid);
      logger.info({ pod: objectKey(pod), node: nodeName }, 'the peer of a pod is lost; the pod is replaced');
    } catch (error) {
      ignoreGone(error);
    }
  }
}
