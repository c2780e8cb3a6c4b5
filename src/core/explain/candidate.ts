import type { Node, Pod, ResourceList, Taint, Toleration } from '../kube-objects.ts';
import { PEER_LABEL, UNREACHABLE_TAINT } from '../labels.ts';
import { fits } from '../offer/compute-offer.ts';
import { isTerminal } from '../pod-phase.ts';
import { readableQuantity } from '../quantities/quantity.ts';
import { type Amounts, add, amountsFrom, podRequests, subtract, toResourceList } from '../quantities/resources.ts';
import { matchesNodeSelector, type NodeSelector } from './node-selector.ts';

/** How one node looks to the scheduler for one pod. */
export interface Candidate {
  node: string;
  /** True for the node that stands for a peer. */
  virtual: boolean;
  /** Why the pod cannot go there, each a clause; empty when it can. */
  obstacles: string[];
  /** With more room it could go there. */
  lacksOnlyRoom: boolean;
  asks: ResourceList;
  free: ResourceList;
}

/** What is free on a node: allocatable − requests of the pods bound to it. */
export function freeOn(node: Node, pods: readonly Pod[]): Amounts {
  const bound = pods.filter((pod) => pod.spec.nodeName === node.metadata.name && !isTerminal(pod.status));
  return subtract(amountsFrom(node.status?.allocatable), add(...bound.map(podRequests)));
}

/** Looks at a node as the default scheduler does: readiness, taints, selectors, room. */
export function considerNode(pod: Pod, node: Node, free: Amounts): Candidate {
  const asks = podRequests(pod);
  const room = fits(asks, free);
  const obstacles = [
    ...readinessObstacle(node),
    ...(node.spec?.unschedulable === true ? ['it is cordoned'] : []),
    ...taintObstacles(pod.spec.tolerations ?? [], node.spec?.taints ?? []),
    ...selectorObstacles(pod, node),
  ];
  return {
    node: node.metadata.name,
    virtual: node.metadata.labels?.[PEER_LABEL] !== undefined,
    obstacles: room.ok ? obstacles : [...obstacles, lack(asks, free)],
    lacksOnlyRoom: obstacles.length === 0 && !room.ok,
    asks: toResourceList(asks),
    free: toResourceList(Object.fromEntries(Object.entries(free).map(([name, left]) => [name, left > 0n ? left : 0n]))),
  };
}

function readinessObstacle(node: Node): string[] {
  const ready = node.status?.conditions?.find((one) => one.type === 'Ready');
  if (ready?.status === 'True') return [];
  return [`it is not Ready (${ready?.message ?? ready?.reason ?? 'it has not said so yet'})`];
}

/** Taints that speak of readiness; the condition says the same already. */
const READINESS_TAINTS = new Set([
  'node.kubernetes.io/not-ready',
  'node.kubernetes.io/unreachable',
  'node.kubernetes.io/unschedulable',
  UNREACHABLE_TAINT,
]);

function taintObstacles(tolerations: readonly Toleration[], taints: readonly Taint[]): string[] {
  const keys = taints
    .filter((taint) => taint.effect !== 'PreferNoSchedule' && !READINESS_TAINTS.has(taint.key))
    .filter((taint) => !tolerations.some((one) => tolerates(one, taint)))
    .map((taint) => taint.key);
  return [...new Set(keys)].map((key) => `the pod does not tolerate its taint ${key}`);
}

/** k8s.io/api/core/v1 Toleration.ToleratesTaint. */
function tolerates(toleration: Toleration, taint: Taint): boolean {
  if ((toleration.effect ?? '') !== '' && toleration.effect !== taint.effect) return false;
  if ((toleration.key ?? '') !== '' && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return (toleration.key ?? '') !== '' && (toleration.value ?? '') === (taint.value ?? '');
}

function selectorObstacles(pod: Pod, node: Node): string[] {
  const labels = node.metadata.labels ?? {};
  const selector = (pod.spec.nodeSelector ?? {}) as Record<string, string>;
  const missing = Object.entries(selector).filter(([name, value]) => labels[name] !== value);
  const affinity = pod.spec.affinity as
    | { nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: NodeSelector } }
    | undefined;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return [
    ...missing.map(([name, value]) => `it lacks the label ${name}=${value} that the pod's nodeSelector asks for`),
    ...(required === undefined || matchesNodeSelector(required, node)
      ? []
      : ["it does not match the pod's required node affinity"]),
  ];
}

/** All resources that are short, with the numbers. */
function lack(asks: Amounts, free: Amounts): string {
  const short = Object.keys(asks).filter((name) => (asks[name] ?? 0n) > 0n && (asks[name] ?? 0n) > (free[name] ?? 0n));
  const parts = short.map((name) => {
    const left = free[name] ?? 0n;
    return `${name} (${readable(name, asks[name] ?? 0n)} asked, ${readable(name, left > 0n ? left : 0n)} free)`;
  });
  return `not enough ${parts.join(' and ')}`;
}

function readable(name: string, amount: bigint): string {
  return readableQuantity(name, toResourceList({ [name]: amount })[name] ?? '0');
}
