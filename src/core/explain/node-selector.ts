import type { Node } from '../kube-objects.ts';

interface Requirement {
  key: string;
  operator: string;
  values?: string[];
}

export interface NodeSelector {
  nodeSelectorTerms?: { matchExpressions?: Requirement[]; matchFields?: Requirement[] }[];
}

/** Whether a node matches one of the terms (k8s.io/component-helpers/scheduling/corev1/nodeaffinity). */
export function matchesNodeSelector(selector: NodeSelector, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  return (selector.nodeSelectorTerms ?? []).some(({ matchExpressions = [], matchFields = [] }) => {
    // A term that says nothing matches nothing.
    if (matchExpressions.length + matchFields.length === 0) return false;
    return (
      matchExpressions.every((one) => matches(one, labels[one.key])) &&
      matchFields.every((one) => matches(one, one.key === 'metadata.name' ? node.metadata.name : undefined))
    );
  });
}

function matches({ operator, values = [] }: Requirement, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}
