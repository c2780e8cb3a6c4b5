import type { KubeObject } from '../kube-objects.ts';
import type { AddOperation } from './plan-pod-mutation.ts';

interface Term {
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

interface DaemonSet extends KubeObject {
  spec: {
    template: {
      spec: {
        affinity?: {
          nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: Term[] } };
        };
      };
    };
  };
}

/** With it a DaemonSet asks for pods on virtual nodes. */
const ALLOW_ANNOTATION = 'headcut.dev/allow-virtual-nodes';
const EXCLUSION = { key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] };
const BASE = '/spec/template/spec/affinity';
const REQUIRED = `${BASE}/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution`;
/** As in the policy, which cannot count further. */
const MAX_TERMS = 8;

/** What keeps a DaemonSet off virtual nodes; equal to the policy in manifests/30-admission.yaml. */
export function planDaemonSetMutation(daemonSet: KubeObject): AddOperation[] {
  const { metadata, spec } = daemonSet as DaemonSet;
  if (metadata.annotations?.[ALLOW_ANNOTATION] === 'true') return [];
  const { affinity } = spec.template.spec;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  if (terms.length > 0 && terms.every(excludes)) return [];
  if (terms.length === 0)
    return [
      ...(affinity === undefined ? [add(BASE, {})] : []),
      ...(affinity?.nodeAffinity === undefined ? [add(`${BASE}/nodeAffinity`, {})] : []),
      add(REQUIRED, { nodeSelectorTerms: [{ matchExpressions: [EXCLUSION] }] }),
    ];
  // The terms are alternatives: each of them must exclude virtual nodes.
  return terms.slice(0, MAX_TERMS).flatMap(({ matchExpressions }, index) => {
    const path = `${REQUIRED}/nodeSelectorTerms/${index}/matchExpressions`;
    return [...(matchExpressions === undefined ? [add(path, [])] : []), add(`${path}/-`, EXCLUSION)];
  });
}

function excludes({ matchExpressions = [] }: Term): boolean {
  return matchExpressions.some(
    ({ key, operator, values = [] }) => key === 'type' && operator === 'NotIn' && values.includes('virtual-kubelet'),
  );
}

function add(path: string, value: unknown): AddOperation {
  return { op: 'add', path, value };
}
