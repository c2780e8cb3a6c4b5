import type { KubeObject, Node } from '../../core/kube-objects.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { LEASES } from '../../kube/resources.ts';
import { type Clock, toKubeMicroTime } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';

/** A kubelet's figures: 40 s, renewed after a quarter of it. */
const DURATION_SECONDS = 40;
const RENEW_MS = 10_000;
const NAMESPACE = 'kube-node-lease';

export interface NodeLeaseDeps {
  node(): Node | undefined;
  /** As the node's identity. */
  client(): KubeClient | undefined;
  clock: Clock;
  logger: Logger;
}

/** The heartbeat of a virtual node: one write per 10 s, and only while the peer answers. */
export class NodeLease {
  readonly #deps: NodeLeaseDeps;

  constructor(deps: NodeLeaseDeps) {
    this.#deps = deps;
  }

  async run(isPeerUp: () => boolean, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    while (!signal.aborted) {
      let waitMs = 1_000;
      if (isPeerUp()) {
        try {
          if (await this.#renew()) waitMs = RENEW_MS;
        } catch (error) {
          if (!signal.aborted) logger.warn({ node: this.#deps.node()?.metadata.name, err: error }, 'lease not renewed');
        }
      }
      await clock.sleep(waitMs, signal).catch(() => {});
    }
  }

  async #renew(): Promise<boolean> {
    const client = this.#deps.client();
    const node = this.#deps.node();
    if (client === undefined || node === undefined) return false;
    const { name, uid = '' } = node.metadata;
    const renewTime = toKubeMicroTime(this.#deps.clock.now());
    try {
      await client.patch(LEASES, { namespace: NAMESPACE, name }, { spec: { renewTime } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const lease: KubeObject = {
        metadata: { name, namespace: NAMESPACE, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }] },
        spec: { holderIdentity: name, leaseDurationSeconds: DURATION_SECONDS, renewTime },
      };
      await client.create(LEASES, lease);
    }
    return true;
  }
}
