import type { Pod } from '../kube-objects.ts';
import { VIRTUAL_NODE_TAINT } from '../labels.ts';
import type { PeerObject } from '../membership/peer-object.ts';
import { NOT_OFFLOADED } from '../offloading/namespace-offloading.ts';
import { refusalByPolicy } from '../shadow-pod/policy.ts';
import { twinNamespaceName } from '../shadow-pod/twin-namespace.ts';
import { claimNamesOf } from '../volume/pod-claims.ts';
import { ageText } from './age.ts';
import { type Candidate, considerNode, freeOn } from './candidate.ts';
import { volumesOfPod, withVolumes } from './volume-obstacles.ts';
import { isOfFormerMember, offloadingOf, peerOfNode, type World } from './world.ts';

/** Why something is as it is, for people and (as JSON) for programs. */
export interface Explanation {
  /** One sentence. */
  summary: string;
  /** What led to it, each a sentence. */
  because: string[];
  /** What can be done about it; empty when nothing is wrong. */
  advice: string[];
  /** How each member looks to the pod; only for pods. */
  candidates?: ConsideredMember[];
}

export interface ConsideredMember extends Candidate {
  /** Name of the peer, or of this cluster. */
  member: string;
  /** The pod runs, or waits, here. */
  chosen: boolean;
}

/** Why a pod runs where it runs, or why it waits. */
export function explainPod(world: World, pod: Pod): Explanation {
  const candidates = considerAll(world, pod);
  const travel = [...whetherItTravels(world, pod), ...volumesOfPod(world, pod)];
  const { nodeName } = pod.spec;
  if (nodeName === undefined) return explainUnbound(pod, candidates, travel);
  const peer = peerOfNode(world, nodeName);
  const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
  if (isOfFormerMember(world, nodeName)) {
    const summary = `Pod ${key} was sent to a cluster that is no member any more; it is replaced when it has stopped there for sure.`;
    return { summary, because: [`Node ${nodeName} stays until then.`], advice: [], candidates };
  }
  if (peer === undefined)
    return { summary: `Pod ${key} runs at home, on node ${nodeName}.`, because: travel, advice: [], candidates };
  const twin = twinNamespaceName({
    cluster: world.federation.status?.id ?? '',
    namespace: pod.metadata.namespace ?? '',
  });
  const { summary, advice } = describeRemote(world, pod, peer);
  const where = `On ${peer.metadata.name} it is pod ${pod.metadata.name} in namespace ${twin}; here it is bound to node ${nodeName}.`;
  const contact =
    peer.status?.state === 'Connected'
      ? []
      : [`Peer ${peer.metadata.name} is ${stateText(peer.status?.state)}: what is shown here is what it said last.`];
  return { summary, because: [where, ...contact, ...travel], advice, candidates };
}

function describeRemote(
  world: World,
  pod: Pod,
  { metadata: { name: peer }, status }: PeerObject,
): { summary: string; advice: string[] } {
  const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
  const connected = status?.state === 'Connected';
  const { phase = 'Pending', reason, message, startTime } = pod.status ?? {};
  if (reason === NOT_OFFLOADED)
    return { summary: `Pod ${key} did not leave this cluster (${reason}): ${message ?? ''}.`, advice: [] };
  if (phase === 'Running') {
    const how = connected
      ? `runs on peer ${peer}${ageText(world.now, startTime, ' since ')}`
      : `ran on peer ${peer} when that was last heard of`;
    return { summary: `Pod ${key} ${how}.`, advice: [] };
  }
  if (phase === 'Pending' && reason !== undefined)
    return {
      summary: `Pod ${key} waits: peer ${peer} does not take it (${reason}): ${message ?? 'it gave no message'}.`,
      advice: [
        `Change what the reason names, or keep the pod at home: delete it after kubectl label namespace ${pod.metadata.namespace} headcut.dev/offload-`,
      ],
    };
  if (phase === 'Failed' || phase === 'Succeeded') {
    const why = reason === undefined ? '' : ` (${reason}: ${message ?? ''})`;
    return { summary: `Pod ${key} ran on peer ${peer} and ended as ${phase}${why}.`, advice: [] };
  }
  const waiting = pod.status?.containerStatuses?.find((one) => one.state?.waiting !== undefined);
  const detail = waiting?.state?.waiting;
  if (detail === undefined) return { summary: `Pod ${key} is being started on peer ${peer}.`, advice: [] };
  return {
    summary: `Pod ${key} waits on peer ${peer}: container ${waiting?.name} is in ${String(detail.reason)}${detail.message === undefined ? '' : ` (${String(detail.message)})`}.`,
    advice: [
      `kubectl -n ${pod.metadata.namespace} describe pod ${pod.metadata.name} shows the warnings of ${peer} as well.`,
    ],
  };
}

function explainUnbound(pod: Pod, candidates: ConsideredMember[], travel: string[]): Explanation {
  const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
  const scheduled = pod.status?.conditions?.find((one) => one.type === 'PodScheduled');
  const possible = candidates.filter((one) => one.obstacles.length === 0);
  const said = scheduled?.message === undefined ? [] : [`The scheduler says: ${scheduled.message}`];
  if (possible.length > 0)
    return {
      summary: `Pod ${key} waits to be scheduled; ${possible.map((one) => one.member).join(', ')} could take it now.`,
      because: [...said, ...travel],
      advice: [],
      candidates,
    };
  return {
    summary: `Pod ${key} is Pending: none of ${candidates.length} members can take it.`,
    because: [...said, ...travel],
    advice: [adviceFor(pod, candidates)],
    candidates,
  };
}

function adviceFor(pod: Pod, candidates: readonly ConsideredMember[]): string {
  if (candidates.some((one) => one.lacksOnlyRoom))
    return 'Ask for less, free room on a member, or let another cluster join (headcut invite).';
  if (!toleratesVirtualNodes(pod) && candidates.some((one) => one.virtual))
    return 'Let it run at home (no nodeSelector or affinity for a peer), or take out what keeps it there; if its namespace was offloaded later, make it anew.';
  return 'Change what the verdicts name in the pod or on the member, or let another cluster join (headcut invite).';
}

function toleratesVirtualNodes(pod: Pod): boolean {
  return pod.spec.tolerations?.some((one) => one.key === VIRTUAL_NODE_TAINT) === true;
}

/** What the namespace and the pod itself say about leaving this cluster. */
function whetherItTravels(world: World, pod: Pod): string[] {
  const namespace = pod.metadata.namespace ?? '';
  const offloading = offloadingOf(world, namespace);
  if (!offloading.offloaded) return [`Pods of namespace ${namespace} stay at home: ${offloading.why}.`];
  const by = offloading.by === 'label' ? 'its label' : 'its Offloading object';
  const opted = `Namespace ${namespace} is offloaded by ${by}, strategy ${offloading.strategy}.`;
  const refusal = refusalByPolicy(pod);
  if (refusal !== undefined) return [opted, `But ${refusal.message}.`];
  if (toleratesVirtualNodes(pod)) return [opted];
  return [
    opted,
    claimNamesOf(pod).length > 0
      ? 'But the pod has no toleration for virtual nodes: one of its claims is not of class headcut (or headcut-…), it needs privileges that baseline forbids, or it was made before the namespace was offloaded.'
      : 'But the pod has no toleration for virtual nodes: it needs privileges that baseline forbids, or it was made before the namespace was offloaded.',
  ];
}

/** All nodes as the scheduler sees them for this pod, without the room that the pod takes itself; this cluster first. */
export function considerAll(world: World, pod: Pod): ConsideredMember[] {
  const others = world.pods.filter((one) => one.metadata.uid !== pod.metadata.uid);
  return world.nodes
    .map((node) => {
      const candidate = withVolumes(considerNode(pod, node, freeOn(node, others)), world, pod, node);
      const member =
        peerOfNode(world, node.metadata.name)?.metadata.name ?? world.federation.status?.name ?? 'this cluster';
      return { ...candidate, member, chosen: pod.spec.nodeName === node.metadata.name };
    })
    .sort((a, b) => Number(a.virtual) - Number(b.virtual) || a.node.localeCompare(b.node));
}

/** A state in the middle of a sentence. */
export function stateText(state: string | undefined): string {
  return (state ?? 'not known yet').toLowerCase();
}
