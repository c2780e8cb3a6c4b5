import { considerNode, freeOn } from '../explain/candidate.ts';
import { controllerOf, isReady, type Node, objectKey, type Pod } from '../kube-objects.ts';
import { isTerminal } from '../pod-phase.ts';
import { claimNamesOf } from '../volume/pod-claims.ts';

/** One replica that had better run elsewhere. */
export interface Move {
  pod: Pod;
  from: string;
  to: string;
  /** UID of its controller. */
  controller: string;
  /** By how many replicas its fullest and emptiest node differ now. */
  skew: number;
}

/** What a spread of the kind that offloaded pods have by default allows (manifests/30-admission.yaml). */
const MAX_SKEW = 1;

/**
 * The next move of each controller whose replicas are spread unevenly over the nodes that could take them: one from the fullest to
 * the emptiest. None while a replica of it is not Ready: one at a time. Pods of nodes and single pods have nothing to spread.
 */
export function planRebalance({ pods, nodes }: { pods: readonly Pod[]; nodes: readonly Node[] }): Move[] {
  const live = pods.filter((pod) => !isTerminal(pod.status) && pod.metadata.deletionTimestamp === undefined);
  const groups = Map.groupBy(live.filter(isReplica), (pod) => controllerOf(pod)?.uid ?? '');
  return [...groups].flatMap(([controller, replicas]) => {
    if (!replicas.every(isReady)) return [];
    const move = moveOf(replicas, { pods: live, nodes });
    return move === undefined ? [] : [{ ...move, controller }];
  });
}

function moveOf(
  replicas: readonly Pod[],
  { pods, nodes }: { pods: readonly Pod[]; nodes: readonly Node[] },
): Omit<Move, 'controller'> | undefined {
  const [sample] = replicas;
  if (sample === undefined) return undefined;
  const count = (node: string): number => replicas.filter((pod) => pod.spec.nodeName === node).length;
  const targets = nodes
    .filter((node) => considerNode(sample, node, freeOn(node, pods)).obstacles.length === 0)
    .map(({ metadata }) => metadata.name)
    .sort((a, b) => count(a) - count(b) || a.localeCompare(b));
  const sources = [...new Set(replicas.map((pod) => pod.spec.nodeName ?? ''))].sort(
    (a, b) => count(b) - count(a) || a.localeCompare(b),
  );
  const [to] = targets;
  const [from] = sources;
  if (to === undefined || from === undefined) return undefined;
  const skew = count(from) - count(to);
  const pod = replicas.filter((one) => one.spec.nodeName === from).sort(youngestFirst)[0];
  return skew > MAX_SKEW && pod !== undefined ? { pod, from, to, skew } : undefined;
}

/** Of a controller that places replicas anywhere; a StatefulSet's are fenced, a Job's are lost work, and one with a claim follows its data. */
function isReplica(pod: Pod): boolean {
  return controllerOf(pod)?.kind === 'ReplicaSet' && claimNamesOf(pod).length === 0;
}

/** Which lost the least by going. */
function youngestFirst(a: Pod, b: Pod): number {
  const [first, second] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return second.localeCompare(first) || objectKey(a).localeCompare(objectKey(b));
}
