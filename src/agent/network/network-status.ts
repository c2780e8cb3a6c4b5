import { planOwnNetworkStatus, planPeerNetworkStatus } from '../../core/membership/network-status.ts';
import { FEDERATION_NAME, type FederationObject, type PeerObject } from '../../core/membership/peer-object.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { FEDERATIONS, PEERS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import { type Controller, createController } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { NetworkState } from './network-state.ts';

export interface NetworkStatusDeps {
  client: Pick<KubeClient, 'patch'>;
  peers: Store<PeerObject>;
  federations: Store<FederationObject>;
  state: Pick<NetworkState, 'ownView' | 'peerView' | 'peers'>;
  clock: Clock;
  logger: Logger;
}

/** A way that changes often is worth one write at its end. */
const SETTLE_MS = 1_000;

/** Shows the pod network in the status of Peer objects and of the Federation. */
export class NetworkStatus {
  readonly controller: Controller;
  readonly #deps: NetworkStatusDeps;

  constructor(deps: NetworkStatusDeps) {
    this.#deps = deps;
    const { clock, logger, peers, federations } = deps;
    this.controller = createController({
      name: 'network-status',
      clock,
      logger,
      reconcile: (key) => this.#reconcile(key),
    });
    // Others write the same objects: what they drop by a write from an old state is shown anew.
    peers.onChange((_name, after) => {
      if (after !== undefined) this.note(after.spec.id);
    });
    federations.onChange(() => this.note(''));
  }

  /** What is to be shown may have changed. @param peerId empty for the own part */
  note(peerId: string): void {
    this.controller.enqueueAfter(peerId, SETTLE_MS);
  }

  noteAll(): void {
    this.note('');
    for (const peer of this.#deps.peers.list()) this.note(peer.spec.id);
  }

  async #reconcile(key: string): Promise<void> {
    const { client, federations, peers } = this.#deps;
    const now = toKubeTime(this.#deps.clock.now());
    if (key === '') {
      const federation = federations.get(FEDERATION_NAME);
      const view = this.#deps.state.ownView();
      if (federation === undefined || view === undefined) return;
      const status = planOwnNetworkStatus(federation, view, now);
      if (status !== undefined)
        await client.patch(FEDERATIONS, { name: FEDERATION_NAME, subresource: 'status' }, { status });
      return;
    }
    const peer = peers.list().find((one) => one.spec.id === key);
    const view = this.#deps.state.peerView(key);
    if (peer === undefined || view === undefined) return;
    const status = planPeerNetworkStatus(peer, view, now);
    if (status === undefined) return;
    await client.patch(PEERS, { name: peer.metadata.name, subresource: 'status' }, { status }).catch((error) => {
      if (!isNotFound(error)) throw error;
    });
  }
}
