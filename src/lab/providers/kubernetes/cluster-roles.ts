import type { ResourceType } from '../../../kube/resources.ts';
import type { LabObject } from './lab-object.ts';

const GROUP = 'rbac.authorization.k8s.io';
const RBAC = { group: GROUP, version: 'v1', namespaced: false };
const CLUSTER_ROLES: ResourceType = { ...RBAC, plural: 'clusterroles', kind: 'ClusterRole' };
const CLUSTER_ROLE_BINDINGS: ResourceType = { ...RBAC, plural: 'clusterrolebindings', kind: 'ClusterRoleBinding' };

/** A ClusterRole of a user's own name, and its binding: for what runs as a process on the node and has a certificate of its own. */
export function grantToUser(name: string, rules: readonly object[]): LabObject[] {
  return [
    { type: CLUSTER_ROLES, object: { metadata: { name }, rules: [...rules] } },
    {
      type: CLUSTER_ROLE_BINDINGS,
      object: {
        metadata: { name },
        roleRef: { apiGroup: GROUP, kind: 'ClusterRole', name },
        subjects: [{ apiGroup: GROUP, kind: 'User', name }],
      },
    },
  ];
}
