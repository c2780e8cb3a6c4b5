import type { KubeObject, Toleration } from '../core/kube-objects.ts';
import { objectKey } from '../core/kube-objects.ts';
import { VIRTUAL_NODE_TAINT } from '../core/labels.ts';
import type { KubeClient } from '../kube/client.ts';
import { DAEMON_SETS } from '../kube/resources.ts';
import { explain } from './cluster.ts';

/** On a DaemonSet that was touched, so that our admission policy added the exclusion to it. */
export const EXCLUDED_ANNOTATION = 'headcut.dev/excluded-from-virtual-nodes';

interface NodeSelectorTerm {
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

interface DaemonSet extends KubeObject {
  spec: {
    template: {
      spec: {
        tolerations?: Toleration[];
        affinity?: {
          nodeAffinity?: {
            requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: NodeSelectorTerm[] };
          };
        };
      };
    };
  };
}

/**
 * Touches DaemonSets of before headcut that would get pods on virtual nodes, which our admission policy then excludes from these.
 * @returns namespace/name of those touched
 */
export async function excludeDaemonSets(client: KubeClient): Promise<string[]> {
  const touched: string[] = [];
  try {
    const { items } = await client.list<DaemonSet>(DAEMON_SETS);
    for (const daemonSet of items.filter(landsOnVirtualNodes)) {
      const { namespace, name } = daemonSet.metadata;
      await client.patch(
        DAEMON_SETS,
        { namespace, name },
        { metadata: { annotations: { [EXCLUDED_ANNOTATION]: 'true' } } },
      );
      touched.push(objectKey(daemonSet));
    }
  } catch (error) {
    throw explain(error);
  }
  return touched;
}

/** True when it tolerates the taint of virtual nodes and nothing else keeps it away from them. */
export function landsOnVirtualNodes(daemonSet: DaemonSet): boolean {
  const { tolerations = [], affinity } = daemonSet.spec.template.spec;
  if (!tolerations.some(toleratesVirtualNodes)) return false;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  // Terms are alternatives: each has to exclude.
  return terms.length === 0 || !terms.every(excludesVirtualNodes);
}

function toleratesVirtualNodes(toleration: Toleration): boolean {
  if ((toleration.effect ?? '') !== '' && toleration.effect !== 'NoSchedule') return false;
  const everything = (toleration.key ?? '') === '' && toleration.operator === 'Exists';
  return everything || toleration.key === VIRTUAL_NODE_TAINT;
}

function excludesVirtualNodes(term: NodeSelectorTerm): boolean {
  return (term.matchExpressions ?? []).some(
    ({ key, operator, values = [] }) => key === 'type' && operator === 'NotIn' && values.includes('virtual-kubelet'),
  );
}
