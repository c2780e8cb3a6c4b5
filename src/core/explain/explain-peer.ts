import type { PeerObject } from '../membership/peer-object.ts';
import { EVERYTHING_TEXT, useOf, useText } from '../offer/peer-terms.ts';
import { isTerminal } from '../pod-phase.ts';
import { readableQuantity } from '../quantities/quantity.ts';
import { add, podRequests, toResourceList } from '../quantities/resources.ts';
import { ageText, counted } from './age.ts';
import { type Explanation, stateText } from './explain-pod.ts';
import { nodeOfPeer, podsFrom, podsOn, type World } from './world.ts';

/** What is known of a peer, and why it takes pods or does not. */
export function explainPeer(world: World, name: string): Explanation | undefined {
  const peer = world.peers.find((one) => one.metadata.name === name);
  if (peer === undefined) return undefined;
  const { state, lastSeen, conditions = [], network } = peer.status ?? {};
  const connected = conditions.find((one) => one.type === 'Connected');
  const node = nodeOfPeer(world, peer.spec.id);
  const ready = node?.status?.conditions?.find((one) => one.type === 'Ready');
  const ours = podsOn(world, peer.spec.id).filter((pod) => !isTerminal(pod.status));
  const used = toResourceList(add(...ours.map(podRequests)));
  const { cpu = '0', memory = '0', pods = '0' } = node?.status?.allocatable ?? {};
  const path = typeof network?.path === 'string' ? [`Packets between pods travel by ${network.path}.`] : [];
  const since = ageText(world.now, connected?.lastTransitionTime, ' since ');
  const use = useText(useOf(peer, world.federation));
  const because = [
    ...(connected?.message === undefined ? [] : [`Contact: ${connected.message}.`]),
    ...(lastSeen === null || lastSeen === undefined
      ? []
      : [`It was last heard of ${ageText(world.now, lastSeen)} ago.`]),
    node === undefined
      ? 'It has no virtual node here yet: it has made no offer since it joined.'
      : `It offers ${cpu} cpu, ${readableQuantity('memory', memory)} memory and ${pods} pods; ours there ask for ${used.cpu ?? '0'} cpu, ${readableQuantity('memory', used.memory ?? '0')} memory with ${counted(ours.length, 'pod')}.`,
    ...(ready === undefined || ready.status === 'True'
      ? []
      : [`Its virtual node takes no pods: ${ready.message ?? ready.reason}.`]),
    ...(use === EVERYTHING_TEXT ? [] : [`It may use here ${use}.`]),
    ...cameInText(world, peer),
    `It runs ${counted(podsFrom(world, peer.spec.id).length, 'pod')} on this cluster.`,
    ...path,
  ];
  const advice =
    state === 'Connected'
      ? []
      : [
          `headcut doctor --peer ${name} looks for the cause; headcut what-if ${name} says what its pods would do if it stays away.`,
        ];
  return { summary: `Peer ${name} is ${stateText(state)}${since}.`, because, advice };
}

function cameInText({ federation }: World, { spec, status }: PeerObject): string[] {
  const by = status?.broughtInBy;
  if (by === undefined) return [];
  return [spec.vouch?.by === federation.status?.id ? 'This cluster let it in.' : `It came in by the word of ${by}.`];
}
