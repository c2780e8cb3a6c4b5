import type { KubeObject, Node, Pod } from '../kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../labels.ts';
import type { FederationObject, PeerObject } from '../membership/peer-object.ts';
import { type NamespaceOffloading, namespaceOffloading, OFFLOADING_NAME } from '../offloading/namespace-offloading.ts';
import type { VolumeView } from '../volume/pod-claims.ts';

/** What one cluster's API server tells of the federation: all that `status`, `explain` and `what-if` look at. */
export interface World {
  federation: FederationObject;
  peers: PeerObject[];
  /** Real and virtual ones. */
  nodes: Node[];
  pods: Pod[];
  namespaces: KubeObject[];
  offloadings: KubeObject[];
  /** Undefined where claims and volumes may not be seen. */
  volumes?: VolumeView;
  /** Milliseconds since 1970. */
  now: number;
}

/** The virtual node of a peer. */
export function nodeOfPeer(world: Pick<World, 'nodes'>, peerId: string): Node | undefined {
  return world.nodes.find((node) => node.metadata.labels?.[PEER_LABEL] === peerId);
}

/** The peer that a node stands for; undefined for a node of this cluster, and for that of a former member. */
export function peerOfNode(world: Pick<World, 'nodes' | 'peers'>, node: string | undefined): PeerObject | undefined {
  const id = peerIdOf(world, node);
  return id === undefined ? undefined : world.peers.find((peer) => peer.spec.id === id);
}

/** True for the virtual node of a member that is none any more, which stays until fenced pods have stopped there for sure. */
export function isOfFormerMember(world: Pick<World, 'nodes' | 'peers'>, node: string | undefined): boolean {
  return peerIdOf(world, node) !== undefined && peerOfNode(world, node) === undefined;
}

function peerIdOf(world: Pick<World, 'nodes'>, node: string | undefined): string | undefined {
  return world.nodes.find((one) => one.metadata.name === node)?.metadata.labels?.[PEER_LABEL];
}

/** Pods of this cluster that are bound to the peer's virtual node. */
export function podsOn(world: World, peerId: string): Pod[] {
  const node = nodeOfPeer(world, peerId)?.metadata.name;
  return node === undefined ? [] : world.pods.filter((pod) => pod.spec.nodeName === node);
}

/** Pods that the peer runs on this cluster. */
export function podsFrom(world: World, peerId: string): Pod[] {
  return world.pods.filter((pod) => pod.metadata.labels?.[ORIGIN_CLUSTER_LABEL] === peerId);
}

/** Whether pods of a namespace may leave this cluster, and by what: as manifests/30-admission.yaml decides it. */
export function offloadingOf(world: Pick<World, 'namespaces' | 'offloadings'>, namespace: string): NamespaceOffloading {
  const found = world.namespaces.find((one) => one.metadata.name === namespace);
  return namespaceOffloading(found, offloadingObjectOf(world, namespace));
}

/** The Offloading of a namespace. */
export function offloadingObjectOf(world: Pick<World, 'offloadings'>, namespace: string): KubeObject | undefined {
  return world.offloadings.find(
    ({ metadata }) => metadata.namespace === namespace && metadata.name === OFFLOADING_NAME,
  );
}
