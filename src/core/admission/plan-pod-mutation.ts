import type { KubeObject, Pod } from '../kube-objects.ts';
import { VIRTUAL_NODE_TAINT } from '../labels.ts';
import type { AddOperation } from './add-operation.ts';
import { type Affinity, excludeVirtualNodes } from './exclude-virtual-nodes.ts';
import { isPortablePod } from './portable-pod.ts';
import { staysHome } from './stays-home.ts';

/**
 * What manifests/30-admission.yaml does to pods, for API servers that do not serve MutatingAdmissionPolicy.
 * The two have to be equal (test/integration/webhook.test.ts compares what a real API server makes of both).
 */

export interface Offloading extends KubeObject {
  spec?: { strategy?: string };
}

/** Labels that differ from replica to replica. */
const REPLICA_LABELS = new Set([
  'statefulset.kubernetes.io/pod-name',
  'apps.kubernetes.io/pod-index',
  'batch.kubernetes.io/job-completion-index',
]);

/**
 * What makes a pod that is being created one that can run on peers, or keeps one at home that would go there by chance.
 * @param labelled whether the label of its namespace offloads that @param offloading that of its namespace
 */
export function planPodMutation(
  pod: Pod,
  { labelled, offloading }: { labelled: boolean; offloading: Offloading | undefined },
): AddOperation[] {
  const isHome = offloading?.spec?.strategy === 'LocalOnly';
  const said = offloading === undefined ? undefined : isHome ? 'home' : 'offloaded';
  const portable = isPortablePod(pod);
  const leaves = portable && (labelled || said === 'offloaded');
  const offloaded = !isHome && (labelled || said === 'offloaded');
  return [
    ...(leaves ? [...tolerations(pod), ...spreadConstraint(pod)] : []),
    ...(staysHome(pod, { offloaded, said }, portable)
      ? excludeVirtualNodes(pod.spec.affinity as Affinity | undefined, '/spec/affinity')
      : []),
  ];
}

function tolerations({ spec }: Pod): AddOperation[] {
  const add = (path: string, value: unknown): AddOperation => ({ op: 'add', path: `/spec/tolerations${path}`, value });
  const operations = spec.tolerations === undefined ? [add('', [])] : [];
  if (spec.tolerations?.some(({ key }) => key === VIRTUAL_NODE_TAINT) === true) return operations;
  const exists = { operator: 'Exists', effect: 'NoExecute' };
  return [
    ...operations,
    add('/0', { key: 'node.kubernetes.io/not-ready', ...exists }),
    add('/0', { key: 'node.kubernetes.io/unreachable', ...exists }),
    add('/0', { key: VIRTUAL_NODE_TAINT, operator: 'Exists', effect: 'NoSchedule' }),
  ];
}

function spreadConstraint({ metadata, spec }: Pod): AddOperation[] {
  const own = (spec.topologySpreadConstraints as unknown[] | undefined) ?? [];
  const matchLabels = Object.fromEntries(
    Object.entries(metadata.labels ?? {}).filter(([label]) => !REPLICA_LABELS.has(label)),
  );
  if (own.length > 0 || Object.keys(matchLabels).length === 0) return [];
  const constraint = {
    maxSkew: 1,
    topologyKey: 'kubernetes.io/hostname',
    whenUnsatisfiable: 'ScheduleAnyway',
    labelSelector: { matchLabels },
  };
  return [
    { op: 'add', path: '/spec/topologySpreadConstraints', value: [] },
    { op: 'add', path: '/spec/topologySpreadConstraints/-', value: constraint },
  ];
}
