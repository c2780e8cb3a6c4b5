import type { AddOperation } from './add-operation.ts';

interface Term {
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
  matchFields?: unknown[];
}

/** The part of a pod's affinity that says where it may run. */
export interface Affinity {
  nodeAffinity?: { requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: Term[] } };
}

const EXCLUSION = { key: 'type', operator: 'NotIn', values: ['virtual-kubelet'] };
/** As in the policies, which cannot count further. */
const MAX_TERMS = 8;

/** What makes a pod's affinity one that virtual nodes do not meet; equal to the policies in manifests/30-admission.yaml. @param base where the affinity is */
export function excludeVirtualNodes(affinity: Affinity | undefined, base: string): AddOperation[] {
  const required = `${base}/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution`;
  const terms = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  if (terms.length > 0 && terms.every((term) => isEmpty(term) || excludes(term))) return [];
  if (terms.length === 0)
    return [
      ...(affinity === undefined ? [add(base, {})] : []),
      ...(affinity?.nodeAffinity === undefined ? [add(`${base}/nodeAffinity`, {})] : []),
      add(required, { nodeSelectorTerms: [{ matchExpressions: [EXCLUSION] }] }),
    ];
  // The terms are alternatives: each of them must exclude virtual nodes. One without any expression matches no node, and is left so.
  return terms.slice(0, MAX_TERMS).flatMap((term, index) => {
    if (isEmpty(term)) return [];
    const path = `${required}/nodeSelectorTerms/${index}/matchExpressions`;
    return [...(term.matchExpressions === undefined ? [add(path, [])] : []), add(`${path}/-`, EXCLUSION)];
  });
}

function isEmpty({ matchExpressions = [], matchFields = [] }: Term): boolean {
  return matchExpressions.length + matchFields.length === 0;
}

function excludes({ matchExpressions = [] }: Term): boolean {
  return matchExpressions.some(
    ({ key, operator, values = [] }) => key === 'type' && operator === 'NotIn' && values.includes('virtual-kubelet'),
  );
}

function add(path: string, value: unknown): AddOperation {
  return { op: 'add', path, value };
}
