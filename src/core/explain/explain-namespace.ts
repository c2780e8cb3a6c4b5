import type { Pod } from '../kube-objects.ts';
import { refusalByPolicy } from '../shadow-pod/policy.ts';
import { counted } from './age.ts';
import type { Explanation } from './explain-pod.ts';
import { tokensAbroad } from './tokens-abroad.ts';
import { offloadingOf, peerOfNode, type World } from './world.ts';

/** What becomes of these NetworkPolicies of a namespace where pods leave; undefined when there are none. */
export function policiesText(names: readonly string[]): string | undefined {
  if (names.length === 0) return undefined;
  const [hold, restrict] = names.length === 1 ? ['holds', 'it does'] : ['hold', 'they do'];
  const which = names.length === 1 ? 'NetworkPolicy' : `${names.length} NetworkPolicies`;
  return `Its ${which} (${names.join(', ')}) ${hold} at home only: what its pods on other members send each other and to others there, ${restrict} not restrict.`;
}

/**
 * Whether a namespace is offloaded, where its pods are, and which of them cannot leave.
 * @param policies names of its NetworkPolicies
 */
export function explainNamespace(world: World, namespace: string, policies: readonly string[]): Explanation {
  const offloading = offloadingOf(world, namespace);
  const pods = world.pods.filter((pod) => pod.metadata.namespace === namespace);
  const where = whereTheyAre(world, pods);
  const abroad = tokensAbroad(world, namespace, pods);
  const held = policiesText(policies);
  const staying = pods.flatMap((pod) => {
    const refusal = refusalByPolicy(pod);
    return refusal === undefined ? [] : [`Pod ${pod.metadata.name} never leaves: ${refusal.message}.`];
  });
  if (!offloading.offloaded)
    return {
      summary: `Namespace ${namespace} is not offloaded: ${offloading.why}.`,
      because: [...where, ...abroad],
      advice: offloading.why.startsWith('it has neither')
        ? [`headcut offload ${namespace} lets its new pods leave.`]
        : [],
    };
  const by = offloading.by === 'label' ? 'the label headcut.dev/offload=true' : 'an Offloading object';
  return {
    summary: `Namespace ${namespace} is offloaded by ${by}, strategy ${offloading.strategy}.`,
    because: [...where, ...abroad, ...staying, ...(held === undefined ? [] : [held])],
    advice: [],
  };
}

function whereTheyAre(world: World, pods: readonly Pod[]): string[] {
  if (pods.length === 0) return ['It has no pods.'];
  const home = world.federation.status?.name ?? 'this cluster';
  const counts = new Map<string, number>();
  for (const { spec } of pods) {
    const place =
      spec.nodeName === undefined ? 'nowhere yet' : (peerOfNode(world, spec.nodeName)?.metadata.name ?? home);
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  const parts = [...counts].sort(([a], [b]) => a.localeCompare(b)).map(([place, count]) => `${count} on ${place}`);
  return [
    `It has ${counted(pods.length, 'pod')}: ${parts.join(', ').replace('on nowhere yet', 'bound to no node yet')}.`,
  ];
}
