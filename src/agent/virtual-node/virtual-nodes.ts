import type { Offer } from '../../core/exchange/offer.ts';
import { isEqual } from '../../core/is-equal.ts';
import type { KubeObject, Node, Pod } from '../../core/kube-objects.ts';
import { PEER_LABEL, VIRTUAL_NODE_PREFIX } from '../../core/labels.ts';

import { isTerminal } from '../../core/pod-phase.ts';
import { podsToEnd } from '../../core/virtual-node/plan-departure.ts';
import {
  nodeLabels,
  nodeStatus,
  nodeTaints,
  PEER_LEFT_REASON,
  sameTaints,
  virtualNodeName,
} from '../../core/virtual-node/plan-node.ts';
import { ignoreGone } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { NODES } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { NodeIdentities, PeerLink, PeerLinks, PodFencing, RoomBelief, VirtualNodes } from '../ports.ts';
import { CertificateStore } from './certificate-store.ts';
import { endDepartedPods } from './departed-pods.ts';
import { type NodeCertificates, startNodeCertificates } from './node-certificates.ts';
import { NodeLease } from './node-lease.ts';
import { PeerRooms } from './peer-rooms.ts';

/** The kubelet port of one virtual node, as this feature needs it (implemented by kubelet-server). */
export interface KubeletPort {
  listen(preferred: number): Promise<number>;
  setCertificate(pair: { key: string; certificate: string }): void;
  close(): Promise<void>;
}

export interface VirtualNodesDeps {
  /** As the agent's ServiceAccount. */
  client: KubeClient;
  /** Opens a client with a node's certificate. */
  connectAs(pair: { key: string; certificate: string }): KubeClient;
  nodes: Store<Node>;
  pods: Store<Pod>;
  links: PeerLinks;
  fencing: Pick<PodFencing, 'stoppedInMs' | 'letGo'>;
  createKubeletPort(node: string, peerId: string): KubeletPort;
  /** Where the API server reaches this agent. */
  hostIp: string;
  agentNamespace: string;
  /** First port to try for kubelet servers. */
  firstKubeletPort: number;
  clock: Clock;
  logger: Logger;
}

/** What a virtual node shows of its peer, also of a former one. */
type ShownPeer = Pick<PeerLink, 'id' | 'name' | 'state' | 'offer'>;

/** How soon it is looked again for what is about to come, or to go. */
const LOOK_AGAIN_MS = 1_000;

interface Running {
  name: string;
  port: number;
  kubelet: KubeletPort;
  certificates: NodeCertificates;
  lease: NodeLease;
  stop: AbortController;
}

/** Keeps one virtual node for every peer: the Node object, its Lease, its node identity and its kubelet port. */
export class VirtualNodeController implements VirtualNodes, NodeIdentities {
  readonly controller: Controller;
  readonly #deps: VirtualNodesDeps;
  readonly #store: CertificateStore;
  readonly #running = new Map<string, Running>();
  readonly #readyListeners: ((node: string) => void)[] = [];
  readonly #rooms: PeerRooms;
  /** Former members whose pods were ended once. */
  readonly #emptied = new Set<string>();
  /** Peers whose node has another's name, which was told. */
  readonly #nameless = new Set<string>();
  #signal: AbortSignal | undefined;

  constructor(deps: VirtualNodesDeps) {
    this.#deps = deps;
    this.#rooms = new PeerRooms(
      deps.clock,
      (peerId) => this.controller.enqueue(peerId),
      async (peerId) => (await deps.links.get(peerId)?.call('freshOffer', {}))?.offer,
    );
    this.#store = new CertificateStore(deps.client, deps.agentNamespace);
    this.controller = createController({
      name: 'virtual-nodes',
      reconcile: (peerId) => this.#reconcile(peerId),
      clock: deps.clock,
      logger: deps.logger,
    });
    deps.links.onChange((id, change) => {
      if (change === 'offer') this.#rooms.offered(id, deps.links.get(id)?.offer);
      if (change === 'added' || change === 'removed' || change === 'state' || change === 'offer')
        this.controller.enqueue(id);
    });
    deps.nodes.onChange((_key, after, before) => {
      const peerId = (after ?? before)?.metadata.labels?.[PEER_LABEL];
      if (peerId !== undefined) this.controller.enqueue(peerId);
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    await Promise.all([this.#deps.nodes.whenSynced(), this.#deps.pods.whenSynced()]);
    await this.controller.run(signal);
    await Promise.all([...this.#running.values()].map((running) => this.#stop(running)));
  }

  peerOf(nodeName: string): string | undefined {
    return this.#deps.nodes.get(nodeName)?.metadata.labels?.[PEER_LABEL];
  }

  nameFor(peerId: string): string | undefined {
    return this.#running.get(peerId)?.name;
  }

  client(virtualNode: string): KubeClient | undefined {
    return [...this.#running.values()].find((running) => running.name === virtualNode)?.certificates.client;
  }

  onReady(listener: (virtualNode: string) => void): void {
    this.#readyListeners.push(listener);
  }

  get rooms(): RoomBelief {
    return this.#rooms;
  }

  async #reconcile(peerId: string): Promise<ReconcileResult> {
    const link = this.#deps.links.get(peerId);
    if (link === undefined) return this.#depart(peerId);
    this.#emptied.delete(peerId);
    // One that was a member under another name lately has its pods on that node.
    const node = this.#nodeOf(peerId) ?? this.#deps.nodes.get(virtualNodeName(link.name));
    if (node === undefined) {
      this.#nameless.delete(peerId);
      // The peer has to be met once before it can be shown truthfully.
      if (link.offer === undefined) return undefined;
      await this.#create(link);
      return undefined;
    }
    if (node.metadata.labels?.[PEER_LABEL] !== peerId) return this.#waitForName(link, node);
    this.#nameless.delete(peerId);
    // It gets one of its own name when the other is not needed any more.
    if (node.metadata.name !== virtualNodeName(link.name) && !this.#holdsPods(node)) return this.#remove(peerId, node);
    await this.#reopen(node);
    const shown = { id: link.id, name: peerNameOf(node), state: link.state, offer: link.offer };
    const running = await this.#ensureRunning(shown, node);
    await this.#updateObject(shown, node);
    return this.#updateStatus(shown, node, running);
  }

  /** Whoever moved the pods away before the peer left has closed its node, and does not open that of a member that came back. */
  async #reopen({ metadata: { name }, spec, status }: Node): Promise<void> {
    const ready = status?.conditions?.find(({ type }) => type === 'Ready');
    if (spec?.unschedulable === true && ready?.reason === PEER_LEFT_REASON)
      await this.#deps.client.patch(NODES, { name }, { spec: { unschedulable: null } });
  }

  #holdsPods({ metadata: { name } }: Node): boolean {
    return podsToEnd(this.#deps.pods.list(), name).length > 0;
  }

  #nodeOf(peerId: string): Node | undefined {
    return this.#deps.nodes.list().find(({ metadata }) => metadata.labels?.[PEER_LABEL] === peerId);
  }

  #waitForName({ id, name }: PeerLink, { metadata }: Node): ReconcileResult {
    const { links, logger } = this.#deps;
    const owner = metadata.labels?.[PEER_LABEL];
    const isFormer = owner !== undefined && links.synced && links.get(owner) === undefined;
    if (!this.#nameless.has(id))
      logger.error(
        { node: metadata.name, peer: name },
        isFormer
          ? 'the node of a former member of that name waits for pods that may still run there; the peer gets its node after that'
          : 'a node of this name exists and is not ours; it is left alone',
      );
    this.#nameless.add(id);
    return { requeueAfterMs: isFormer ? LOOK_AGAIN_MS : 60_000 };
  }

  async #create(link: PeerLink): Promise<void> {
    const input = { peerId: link.id, peerName: link.name, offer: link.offer };
    await this.#deps.client.create(NODES, {
      metadata: { name: virtualNodeName(link.name), labels: nodeLabels(input) },
      spec: { taints: nodeTaints([], link.state) },
    });
  }

  /** Labels and taints, by the ServiceAccount: a node identity may not change its own taints. */
  async #updateObject(link: ShownPeer, node: Node): Promise<void> {
    const input = { peerId: link.id, peerName: link.name, offer: link.offer };
    const labels = Object.fromEntries(
      Object.entries(nodeLabels(input)).filter(([key, value]) => node.metadata.labels?.[key] !== value),
    );
    const current = node.spec?.taints ?? [];
    // At the start of the agent the taints of its former life stay until contact was made or missed.
    const taints = link.state === 'Suspect' ? current : nodeTaints(current, link.state);
    const patch = {
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
    };
    const taintsDiffer = !sameTaints(current, taints);
    if (Object.keys(patch).length === 0 && !taintsDiffer) return;
    await this.#deps.client.patch(
      NODES,
      { name: node.metadata.name },
      {
        metadata: { ...patch, ...(taintsDiffer ? { resourceVersion: node.metadata.resourceVersion } : {}) },
        ...(taintsDiffer ? { spec: { taints } } : {}),
      },
    );
  }

  async #updateStatus(link: ShownPeer, node: Node, running: Running): Promise<ReconcileResult> {
    const client = running.certificates.client;
    if (client === undefined || (link.offer === undefined && link.state !== 'Unreachable')) return undefined;
    // A peer that has not been met in this life of the agent keeps what its node showed, but for its readiness.
    const bound = this.#deps.pods
      .list()
      .filter((pod) => pod.spec.nodeName === node.metadata.name && !isTerminal(pod.status));
    const wanted = nodeStatus(
      {
        peerId: link.id,
        peerName: link.name,
        state: link.state,
        offer: link.offer ?? shownOffer(node),
        address: this.#deps.hostIp,
        port: running.port,
        room: this.#rooms.state(link.id),
        now: toKubeTime(this.#deps.clock.now()),
      },
      node,
      link.offer && this.#rooms.believed(link.id, link.offer, bound.length),
    );
    const changed = Object.fromEntries(
      Object.entries(wanted).filter(
        ([field, value]) => !isEqual(value, comparable(field, node.status?.[field], value)),
      ),
    );
    if (Object.keys(changed).length > 0)
      await client.patch(NODES, { name: node.metadata.name, subresource: 'status' }, { status: changed }, 'strategic');
    const requeueAfterMs = this.#rooms.changesInMs(link.id);
    return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
  }

  async #ensureRunning(link: ShownPeer, node: Node): Promise<Running> {
    const existing = this.#running.get(link.id);
    if (existing?.name === node.metadata.name) return existing;
    if (existing !== undefined) await this.#stop(existing);
    const { name } = node.metadata;
    const { clock, client, connectAs, hostIp, logger } = this.#deps;
    const stop = new AbortController();
    if (this.#signal !== undefined) this.#signal.addEventListener('abort', () => stop.abort(), { once: true });
    const kubelet = this.#deps.createKubeletPort(name, link.id);
    const shownPort = node.status?.daemonEndpoints?.kubeletEndpoint?.Port;
    const port = await kubelet.listen(shownPort !== undefined && shownPort > 0 ? shownPort : this.#freePort());
    const certificates = startNodeCertificates({
      node: name,
      ip: hostIp,
      client,
      connectAs,
      store: this.#store,
      addressShown: () => this.#deps.nodes.get(name)?.status?.addresses?.some((one) => one.address === hostIp) === true,
      onClient: () => this.#onIdentity(link.id, name),
      onServing: (pair) => kubelet.setCertificate(pair),
      clock,
      logger,
      signal: stop.signal,
    });
    const lease = new NodeLease({
      node: () => this.#deps.nodes.get(name),
      client: () => certificates.client,
      clock,
      logger,
    });
    void lease.run(() => this.#deps.links.get(link.id)?.state === 'Connected', stop.signal);
    const running = { name, port, kubelet, certificates, lease, stop };
    this.#running.set(link.id, running);
    return running;
  }

  #onIdentity(peerId: string, node: string): void {
    this.controller.enqueue(peerId);
    for (const listener of this.#readyListeners) listener(node);
  }

  #freePort(): number {
    const used = new Set([...this.#running.values()].map((running) => running.port));
    let port = this.#deps.firstKubeletPort;
    while (used.has(port)) port += 1;
    return port;
  }

  /** The peer is no member any more. Its node stays while pods may run there in whose place others must not run yet. */
  async #depart(peerId: string): Promise<ReconcileResult> {
    this.#rooms.forget(peerId);
    if (!this.#deps.links.synced) return { requeueAfterMs: LOOK_AGAIN_MS };
    const node = this.#nodeOf(peerId);
    if (node === undefined) {
      this.#emptied.delete(peerId);
      return this.#stopOf(peerId);
    }
    if (this.#holdsPods(node) && !(await this.#isEmptied(peerId, node))) return { requeueAfterMs: LOOK_AGAIN_MS };
    return this.#remove(peerId, node);
  }

  async #remove(peerId: string, node: Node): Promise<undefined> {
    await this.#stopOf(peerId);
    const { name } = node.metadata;
    await this.#deps.client.delete(NODES, { name }, uidOf(node)).catch(ignoreGone);
    await this.#store.remove(name);
  }

  /** Ends what may end; true when that was done twice: the scheduler had placed some before it saw the taint. */
  async #isEmptied(peerId: string, node: Node): Promise<boolean> {
    const { name } = node.metadata;
    const offer = { ...shownOffer(node), accepting: false };
    const former: ShownPeer = { id: peerId, name: peerNameOf(node), state: 'Left', offer };
    const running = await this.#ensureRunning(former, node);
    // Before room is made, or what takes the place of these pods would be put here.
    await this.#updateObject(former, node);
    const { client } = running.certificates;
    if (client === undefined) return false;
    const waiting = await endDepartedPods(this.#deps, { node: name, peerId, client });
    if (waiting > 0) {
      await this.#updateStatus(former, node, running);
      return false;
    }
    if (this.#emptied.has(peerId)) return true;
    this.#emptied.add(peerId);
    return false;
  }

  async #stopOf(peerId: string): Promise<undefined> {
    const running = this.#running.get(peerId);
    if (running === undefined) return;
    this.#running.delete(peerId);
    await this.#stop(running);
  }

  async #stop(running: Running): Promise<void> {
    running.stop.abort();
    await running.kubelet.close();
    await running.certificates.client?.close();
  }
}

/** Other than the peer's own name, that of its node does not change. */
function peerNameOf({ metadata }: Node): string {
  return metadata.name.slice(VIRTUAL_NODE_PREFIX.length);
}

function uidOf(object: KubeObject): { uid?: string } {
  return object.metadata.uid === undefined ? {} : { uid: object.metadata.uid };
}

/** What the node shows of a peer, as an offer: for a peer that could not be met since the agent started, or is none any more. */
function shownOffer(node: Node): Offer {
  const { capacity = {}, allocatable = {}, nodeInfo = {} } = node.status ?? {};
  return { capacity, allocatable, nodeInfo, labels: {}, accepting: true };
}

/** The current value reduced to what we write: controllers of the cluster add conditions and node info fields of their own. */
function comparable(field: string, current: unknown, wanted: unknown): unknown {
  if (field === 'conditions' && Array.isArray(current) && Array.isArray(wanted)) {
    return wanted.map((one) => current.find((other) => other.type === one.type));
  }
  return current;
}
