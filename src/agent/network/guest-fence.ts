import { isDeepStrictEqual } from 'node:util';
import type { Node, Pod } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../../core/labels.ts';
import { FEDERATION_NAME, type FederationObject } from '../../core/membership/peer-object.ts';
import { fencedPods, virtualKubeletPorts } from '../../core/network/guests.ts';
import type { NetworkClaim } from '../../core/network/network-claim.ts';
import type { NodeFence, Ports } from '../../core/network/node-fence.ts';
import { findPodCidr, type NetworkSettings, networkSettings } from '../../core/network/plan-network.ts';
import { parsePrefix } from '../../core/network/prefix.ts';
import { reachablePods } from '../../core/network/reachable-pods.ts';
import { isTerminal } from '../../core/pod-phase.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { ExportedAddresses } from '../ports.ts';
import type { Namespaces } from './namespaces.ts';
import type { NodeNetworkClient } from './node-network-client.ts';

export interface GuestFenceDeps {
  node: Pick<NodeNetworkClient, 'ask' | 'generation'>;
  nodes: Store<Node>;
  pods: Store<Pod>;
  federations: Store<FederationObject>;
  namespaces: Namespaces;
  /** The pods of Services that this cluster exports. */
  exported: ExportedAddresses;
  /** The claim in the own record. */
  ownClaim(): NetworkClaim | undefined;
  /** The agent's ports beside those of virtual nodes. */
  ports: { guests: Ports; inner: Ports; probe: number };
  /** Where the API server is, as networks. */
  apiServers(): Promise<string[]>;
  serviceCidrs: string[];
  clock: Clock;
  logger: Logger;
}

const KEY = 'fence';
/** As many networks as the container of the network takes, less those of the settings. */
const MAX_EXPORTED = 400;
/** Pods come in bursts; a guest has no address to send from for longer than this. */
const SETTLE_MS = 50;
/** How often it is compared with what is there. */
const VERIFY_EVERY_MS = 30_000;

/** Has the node hold what is closed to pods of other members, and to whom the agent's own ports are open. */
export class GuestFence {
  readonly controller: Controller;
  readonly #deps: GuestFenceDeps;
  #applied: { fence: NodeFence; generation: number; at: number } | undefined;

  constructor(deps: GuestFenceDeps) {
    this.#deps = deps;
    const { clock, logger, pods, nodes, federations } = deps;
    this.controller = createController({
      name: 'guest-fence',
      clock,
      logger,
      reconcile: () => this.#reconcile(),
      backoff: { baseMs: 250, maxMs: 5_000, jitter: 0.2 },
    });
    pods.onChange((_key, after, before) => {
      if (isDeepStrictEqual(placeOf(after), placeOf(before))) return;
      // A guest that was bound gets an address next.
      if (after?.metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined) this.controller.enqueue(KEY);
      else this.controller.enqueueAfter(KEY, SETTLE_MS);
    });
    nodes.onChange((_key, after, before) => {
      const facts = (node: Node | undefined) => [node?.spec, node?.status?.daemonEndpoints];
      if (!isDeepStrictEqual(facts(after), facts(before))) this.controller.enqueueAfter(KEY, SETTLE_MS);
    });
    deps.namespaces.onChange(() => this.controller.enqueueAfter(KEY, SETTLE_MS));
    federations.onChange((_key, after, before) => {
      if (!isDeepStrictEqual(after?.spec, before?.spec)) this.controller.enqueueAfter(KEY, SETTLE_MS);
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { nodes, pods, federations, namespaces } = this.#deps;
    await Promise.all([nodes.whenSynced(), pods.whenSynced(), federations.whenSynced(), namespaces.whenSynced()]);
    this.controller.enqueue(KEY);
    await this.controller.run(signal);
  }

  async #reconcile(): Promise<ReconcileResult> {
    const { node, clock } = this.#deps;
    const fence = await this.#wanted();
    if (fence === undefined) return { requeueAfterMs: VERIFY_EVERY_MS };
    const now = clock.monotonic();
    const known = this.#applied;
    const isKnown =
      known !== undefined &&
      known.generation === node.generation &&
      now - known.at < VERIFY_EVERY_MS &&
      isDeepStrictEqual(known.fence, fence);
    if (!isKnown) {
      await node.ask({ type: 'fence', fence });
      this.#applied = { fence, generation: node.generation, at: now };
    }
    return { requeueAfterMs: VERIFY_EVERY_MS };
  }

  /** Undefined where it is not known which pods are here. */
  async #wanted(): Promise<NodeFence | undefined> {
    const { nodes, pods, federations, ports, serviceCidrs, exported } = this.#deps;
    const found = findPodCidr(nodes.list());
    if ('refused' in found) return undefined;
    const { podCidr } = found;
    const settings = networkSettings(federations.get(FEDERATION_NAME)?.spec);
    const isHere = (name: string): boolean => nodes.get(name)?.metadata.labels?.[PEER_LABEL] === undefined;
    return {
      podCidr,
      ...fencedPods(pods.list(), parsePrefix(podCidr), isHere),
      access: settings.guestAccess,
      // Guests reach exported Services by addresses of this cluster, not by images.
      open: [
        ...settings.guestNetworks,
        ...exported
          .all()
          .slice(0, MAX_EXPORTED)
          .map((address) => `${address}/32`),
      ],
      closed: settings.reserved,
      services: serviceCidrs,
      image: this.#image(settings),
      guestPorts: ports.guests,
      innerPorts: { ...ports.inner, tcp: [...ports.inner.tcp, ...virtualKubeletPorts(nodes.list())] },
      insiders: [...settings.insiders, ...(await this.#deps.apiServers())],
      probePort: ports.probe,
    };
  }

  #image({ enabled, reachable }: NetworkSettings): NodeFence['image'] {
    const claim = enabled ? this.#deps.ownClaim() : undefined;
    if (claim === undefined) return undefined;
    const { prefix, podCidr } = claim;
    if (reachable === 'All') return { prefix, reachable: undefined };
    const { pods, namespaces } = this.#deps;
    return { prefix, reachable: reachablePods(pods.list(), parsePrefix(podCidr), namespaces) };
  }
}

/** What the fence knows a pod by. */
function placeOf(pod: Pod | undefined): unknown[] {
  if (pod === undefined) return [];
  const { nodeName } = pod.spec as { nodeName?: string };
  return [nodeName, pod.status?.podIP, isTerminal(pod.status), pod.metadata.labels?.[ORIGIN_CLUSTER_LABEL]];
}
