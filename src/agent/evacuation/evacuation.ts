import { planEvacuation } from '../../core/evacuation/plan-evacuation.ts';
import { objectKey, type Pod } from '../../core/kube-objects.ts';
import { evictPod } from '../../kube/evict-pod.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { NodeIdentities, PeerLinks, VirtualNodes } from '../ports.ts';

export interface EvacuationDeps {
  pods: Store<Pod>;
  links: PeerLinks;
  nodes: Pick<VirtualNodes, 'nameFor'>;
  identities: NodeIdentities;
  /** The data of a pod is on a peer and nowhere else. */
  isPinned?(pod: Pod): boolean;
  clock: Clock;
  logger: Logger;
}

/** A disruption budget says no, or pods are on their way: the same is looked at again. */
const LOOK_AGAIN_MS = 2_000;

/**
 * Moves pods away from peers that ask for it: evicts them here, as their node, so that disruption budgets are respected and their
 * controllers make others. Keyed by peer.
 */
export class Evacuation {
  readonly controller: Controller;
  readonly #deps: EvacuationDeps;

  constructor(deps: EvacuationDeps) {
    this.#deps = deps;
    const { clock, logger } = deps;
    this.controller = createController({ name: 'evacuation', reconcile: (id) => this.#reconcile(id), clock, logger });
    deps.links.onChange((id, change) => {
      if (change === 'offer' || change === 'state') this.controller.enqueue(id);
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#deps.pods.whenSynced();
    for (const { id } of this.#deps.links.list()) this.controller.enqueue(id);
    await this.controller.run(signal);
  }

  async #reconcile(peerId: string): Promise<ReconcileResult> {
    const { links, nodes, identities, pods } = this.#deps;
    const link = links.get(peerId);
    const node = nodes.nameFor(peerId);
    // One that is not there now is a matter of failover.
    if (link?.offer?.evacuate !== true || link.state !== 'Connected' || node === undefined) return undefined;
    const client = identities.client(node);
    const going = planEvacuation(pods.list(), node, this.#deps.isPinned);
    if (client !== undefined) for (const pod of going) await this.#evict(client, pod);
    return { requeueAfterMs: LOOK_AGAIN_MS };
  }

  async #evict(client: NonNullable<ReturnType<NodeIdentities['client']>>, pod: Pod): Promise<void> {
    const held = await evictPod(client, pod);
    if (held === undefined)
      this.#deps.logger.info({ pod: objectKey(pod), node: pod.spec.nodeName }, 'a peer is drained; the pod moves away');
  }
}
