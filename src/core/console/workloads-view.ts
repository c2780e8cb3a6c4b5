import { ageText } from '../explain/age.ts';
import { explainPod } from '../explain/explain-pod.ts';
import { makerOf } from '../explain/maker.ts';
import { offloadingOf, peerOfNode, type World } from '../explain/world.ts';
import { isReady, type KubeObject, type Pod } from '../kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, ORIGIN_NAMESPACE_LABEL } from '../labels.ts';
import { isTerminal } from '../pod-phase.ts';

/** One pod, in a list. */
export interface ReplicaView {
  name: string;
  /** Where it is: the name of a peer, or of this cluster; undefined while it is bound to no node. */
  member: string | undefined;
  /** True where that is this cluster. */
  home: boolean;
  phase: string;
  ready: boolean;
  restarts: number;
  /** One sentence: since when it runs there, or why it does not. */
  why: string;
}

/** A Deployment, a StatefulSet, or what else makes pods. */
export interface WorkloadView {
  kind: string;
  name: string;
  ready: number;
  /** As its spec says; the pods that there are where that may not be seen. */
  wanted: number;
  replicas: ReplicaView[];
}

export interface NamespaceView {
  name: string;
  offloaded: boolean;
  /** By what and how, or why not; a clause. */
  how: string;
  pods: number;
  /** Of these, those on other members. */
  away: number;
  /** Of offloaded namespaces, and those with pods elsewhere, alone. */
  workloads: WorkloadView[];
}

/** Pods of other members that run here. */
export interface GuestView {
  peer: string;
  originNamespace: string;
  namespace: string;
  name: string;
  phase: string;
  ready: boolean;
}

export interface WorkloadsView {
  namespaces: NamespaceView[];
  guests: GuestView[];
  /** How many more pods there are than are listed. */
  omitted: number;
}

/** What makes pods here and says how many. */
export interface Makers {
  deployments: readonly KubeObject[];
  statefulSets: readonly KubeObject[];
}

/** A page of more rows helps nobody. */
export const MAX_REPLICAS = 2_000;
/** To say why a pod waits, all members are looked at. */
const MAX_EXPLAINED = 20;

/** Namespaces with what runs where; those that are offloaded first. */
export function workloadsView(world: World, makers: Makers): WorkloadsView {
  const budget = { replicas: MAX_REPLICAS, explained: MAX_EXPLAINED };
  const byNamespace = Map.groupBy(world.pods, (pod) => pod.metadata.namespace ?? '');
  const names = new Set([...world.namespaces.map(({ metadata }) => metadata.name), ...byNamespace.keys()]);
  const isTwin = (name: string): boolean =>
    world.namespaces.some((one) => one.metadata.name === name && one.metadata.labels?.[ORIGIN_CLUSTER_LABEL]) ||
    (byNamespace.get(name) ?? []).some((pod) => pod.metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined);
  const namespaces = [...names]
    .filter((name) => !isTwin(name))
    .map((name) => ({ name, pods: byNamespace.get(name) ?? [], offloading: offloadingOf(world, name) }))
    .sort((a, b) => Number(b.offloading.offloaded) - Number(a.offloading.offloaded) || a.name.localeCompare(b.name))
    .map(({ name, pods, offloading }): NamespaceView => {
      const away = pods.filter((pod) => isAway(world, pod)).length;
      return {
        name,
        offloaded: offloading.offloaded,
        how: offloading.offloaded
          ? `by ${offloading.by === 'label' ? 'its label' : 'its Offloading'}, strategy ${offloading.strategy}`
          : offloading.why,
        pods: pods.length,
        away,
        workloads: offloading.offloaded || away > 0 ? workloadsOf(world, { name, pods, makers, budget }) : [],
      };
    });
  const guests = guestsOf(world);
  const listed = guests.slice(0, Math.max(0, MAX_REPLICAS));
  return { namespaces, guests: listed, omitted: Math.max(0, -budget.replicas) + guests.length - listed.length };
}

function isAway(world: World, pod: Pod): boolean {
  return peerOfNode(world, pod.spec.nodeName) !== undefined;
}

function workloadsOf(
  world: World,
  of: { name: string; pods: readonly Pod[]; makers: Makers; budget: { replicas: number; explained: number } },
): WorkloadView[] {
  const { name, makers, budget } = of;
  const made = new Map<string, WorkloadView>();
  for (const [kind, list] of [
    ['Deployment', makers.deployments],
    ['StatefulSet', makers.statefulSets],
  ] as const)
    for (const { metadata, spec } of list.filter((one) => one.metadata.namespace === name)) {
      const { replicas = 1 } = (spec ?? {}) as { replicas?: number };
      made.set(`${kind}/${metadata.name}`, { kind, name: metadata.name, ready: 0, wanted: replicas, replicas: [] });
    }
  const known = new Set(made.keys());
  const pods = [...of.pods].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  for (const pod of pods) {
    const maker = makerOf(pod);
    const key = `${maker.kind}/${maker.name}`;
    const workload = made.get(key) ?? { ...maker, ready: 0, wanted: 0, replicas: [] };
    made.set(key, workload);
    const ready = isReady(pod) && pod.metadata.deletionTimestamp === undefined;
    if (ready) workload.ready += 1;
    if (!known.has(key) && !isTerminal(pod.status)) workload.wanted += 1;
    budget.replicas -= 1;
    if (budget.replicas >= 0) workload.replicas.push(replicaView(world, pod, budget));
  }
  return [...made.values()].sort((a, b) => a.kind.localeCompare(b.kind) || a.name.localeCompare(b.name));
}

function replicaView(world: World, pod: Pod, budget: { explained: number }): ReplicaView {
  const { nodeName } = pod.spec;
  const peer = peerOfNode(world, nodeName)?.metadata.name;
  const isOfPeer = peer !== undefined || (nodeName !== undefined && isUnseen(world, nodeName));
  const ready = isReady(pod);
  return {
    name: pod.metadata.name,
    member: peer ?? (nodeName === undefined ? undefined : isOfPeer ? nodeName : homeName(world, nodeName)),
    home: nodeName !== undefined && !isOfPeer,
    phase: phaseOf(pod),
    ready,
    restarts: (pod.status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + (restartCount || 0), 0),
    why: whyOf(world, pod, { ready, budget }),
  };
}

/** Whoever may not see nodes knows a virtual one by its name alone. */
function isUnseen({ nodes }: World, node: string): boolean {
  return nodes.length === 0 && node.startsWith('headcut-');
}

function homeName({ federation }: World, node: string): string {
  return federation.status?.name ?? node;
}

/** `Terminating`, the reason why it waits, or its phase. */
export function phaseOf({ metadata, status }: Pod): string {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating';
  const waiting = (status?.containerStatuses ?? []).map(({ state }) => state?.waiting?.reason).find(isText);
  return status?.reason ?? waiting ?? status?.phase ?? 'Pending';
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function whyOf(world: World, pod: Pod, { ready, budget }: { ready: boolean; budget: { explained: number } }): string {
  const since = pod.status?.startTime;
  if (ready && since !== undefined) return `ready, there since ${ageText(world.now, since)}`;
  if (isTerminal(pod.status)) return pod.status?.phase === 'Succeeded' ? 'it has done its work' : 'it failed';
  if (budget.explained <= 0) return 'it is not Ready';
  budget.explained -= 1;
  return explainPod(world, pod).summary;
}

function guestsOf(world: World): GuestView[] {
  const names = new Map(world.peers.map((peer) => [peer.spec.id, peer.metadata.name]));
  return world.pods
    .filter((pod) => pod.metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined)
    .map((pod) => {
      const { namespace = '', name, labels = {} } = pod.metadata;
      const id = labels[ORIGIN_CLUSTER_LABEL] ?? '';
      return {
        peer: names.get(id) ?? id.slice(0, 12),
        originNamespace: labels[ORIGIN_NAMESPACE_LABEL] ?? '',
        ...{ namespace, name },
        phase: phaseOf(pod),
        ready: isReady(pod),
      };
    })
    .sort((a, b) => a.peer.localeCompare(b.peer) || a.name.localeCompare(b.name));
}
