import type { Node, Pod } from '../kube-objects.ts';
import { isTerminal } from '../pod-phase.ts';
import { type Amounts, podRequests, subtract } from '../quantities/resources.ts';
import { considerNode, freeOn } from './candidate.ts';
import { withVolumes } from './volume-obstacles.ts';
import { nodeOfPeer, peerOfNode, podsFrom, podsOn, type World } from './world.ts';

export interface Displaced {
  namespace: string;
  name: string;
  /** Where it would be made anew; undefined: nowhere. */
  goesTo: string | undefined;
  /** Why nowhere, or why nobody makes it anew. */
  why?: string;
}

export interface WhatIf {
  peer: string;
  displaced: Displaced[];
  /** Pods of the peer that run here: they go on. */
  guests: number;
}

/** What would become of the pods on a peer that dies, as the scheduler would place them one after the other with what is free now. */
export function whatIfPeerDies(world: World, name: string): WhatIf | undefined {
  const peer = world.peers.find((one) => one.metadata.name === name);
  if (peer === undefined) return undefined;
  const lost = nodeOfPeer(world, peer.spec.id)?.metadata.name;
  const pods = podsOn(world, peer.spec.id).filter((pod) => !isTerminal(pod.status));
  const left = world.nodes.filter((node) => node.metadata.name !== lost);
  const free = new Map(left.map((node) => [node.metadata.name, freeOn(node, world.pods)]));
  return {
    peer: name,
    displaced: pods.map((pod) => place(world, pod, left, free)),
    guests: podsFrom(world, peer.spec.id).filter((pod) => !isTerminal(pod.status)).length,
  };
}

function place(world: World, pod: Pod, nodes: readonly Node[], free: Map<string, Amounts>): Displaced {
  const { namespace = '', name, ownerReferences = [] } = pod.metadata;
  if (!ownerReferences.some((owner) => owner.controller === true))
    return { namespace, name, goesTo: undefined, why: 'nothing makes it anew: it has no controller' };
  const looks = nodes.map((node) => ({
    node,
    candidate: withVolumes(considerNode(pod, node, free.get(node.metadata.name) ?? {}), world, pod, node),
  }));
  const possible = looks
    .filter(({ candidate }) => candidate.obstacles.length === 0)
    // The emptiest first, as the scheduler's spreading does for pods of one kind.
    .sort((a, b) => compareCpu(free, b.node, a.node) || a.node.metadata.name.localeCompare(b.node.metadata.name));
  const chosen = possible[0]?.node.metadata.name;
  if (chosen === undefined) {
    const why = looks.map(({ node, candidate }) => `${memberOf(world, node)}: ${candidate.obstacles.join(', ')}`);
    return { namespace, name, goesTo: undefined, why: why.join('; ') };
  }
  free.set(chosen, subtract(free.get(chosen) ?? {}, podRequests(pod)));
  return { namespace, name, goesTo: memberOf(world, possible[0]?.node) };
}

function compareCpu(free: Map<string, Amounts>, a: Node, b: Node): number {
  const [left, right] = [free.get(a.metadata.name)?.cpu ?? 0n, free.get(b.metadata.name)?.cpu ?? 0n];
  if (left === right) return 0;
  return left > right ? 1 : -1;
}

function memberOf(world: World, node: Node | undefined): string {
  return peerOfNode(world, node?.metadata.name)?.metadata.name ?? world.federation.status?.name ?? 'this cluster';
}
