import type { Node, Pod } from '../kube-objects.ts';
import { pinsOf } from '../volume/pod-claims.ts';
import { placeOfVolume } from '../volume/volume-objects.ts';
import type { Candidate } from './candidate.ts';
import { matchesNodeSelector, type NodeSelector } from './node-selector.ts';
import type { World } from './world.ts';

type Seen = Pick<World, 'volumes' | 'peers' | 'federation'>;

/** How a node looks to a pod that follows its volumes. */
export function withVolumes(candidate: Candidate, world: Seen, pod: Pod, node: Node): Candidate {
  const obstacles = obstaclesOf(world, pod, node);
  if (obstacles.length === 0) return candidate;
  return { ...candidate, obstacles: [...candidate.obstacles, ...obstacles], lacksOnlyRoom: false };
}

function obstaclesOf(world: Seen, pod: Pod, node: Node): string[] {
  if (world.volumes === undefined) return [];
  return pinsOf(pod, world.volumes)
    .filter(({ volume }) => {
      const { required } = volume.spec.nodeAffinity as { required?: NodeSelector };
      return required !== undefined && !matchesNodeSelector(required, node);
    })
    .map(
      ({ claim, volume }) => `the data of its claim ${claim} is on ${placeText(world, placeOfVolume(volume)?.peerId)}`,
    );
}

/** Where the data of a pod is, each a sentence. */
export function volumesOfPod(world: Seen, pod: Pod): string[] {
  if (world.volumes === undefined) return [];
  return pinsOf(pod, world.volumes).flatMap(({ claim, volume }) => {
    const place = placeOfVolume(volume);
    if (place === undefined) return [];
    const isMember = world.peers.some(({ spec }) => spec.id === place.peerId);
    return [
      isMember
        ? `The data of its claim ${claim} is on ${placeText(world, place.peerId)}, and the pod runs there or waits.`
        : `The data of its claim ${claim} is on a cluster that is no member any more (${place.peerId.slice(0, 12)}): the pod waits until that joins again.`,
    ];
  });
}

function placeText({ peers, federation }: Seen, peerId: string | undefined): string {
  if (peerId === undefined) return federation.status?.name ?? 'this cluster';
  return peers.find(({ spec }) => spec.id === peerId)?.metadata.name ?? 'a former member';
}
