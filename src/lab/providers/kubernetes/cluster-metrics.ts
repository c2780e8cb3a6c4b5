import { join } from 'node:path';
import type { KubeObject } from '../../../core/kube-objects.ts';
import type { ResourceType } from '../../../kube/resources.ts';
import type { ClusterTopology } from '../../topology.ts';
import { METRICS_SERVER_PORT } from './cluster-constants.ts';
import type { Flags } from './control-plane-flags.ts';
import { layoutOf } from './layout.ts';

/**
 * metrics-server runs as a process on the node, because no image of it can be pulled; its flags are those that k0s gives it
 * (k0s: pkg/component/controller/metricserver.go), so that `kubectl top` and autoscalers see what they see on k0s.
 */
export function metricsServerFlags(cluster: ClusterTopology): Flags {
  const { etc, pki, data } = layoutOf(cluster);
  const kubeconfig = join(etc, 'metrics-server.kubeconfig');
  return {
    'authentication-kubeconfig': kubeconfig,
    'authorization-kubeconfig': kubeconfig,
    'bind-address': cluster.address,
    'cert-dir': join(data, 'metrics-server'),
    // In a pod this is the CA of its ServiceAccount.
    'kubelet-certificate-authority': join(pki, 'ca.crt'),
    'kubelet-preferred-address-types': 'InternalIP,ExternalIP,Hostname',
    'kubelet-use-node-status-port': 'true',
    kubeconfig,
    'metric-resolution': '15s',
    'secure-port': String(METRICS_SERVER_PORT),
  };
}

export const METRICS_SERVER_USER = 'system:metrics-server';
const NAMESPACE = 'kube-system';
const NAME = 'metrics-server';

const RBAC = { group: 'rbac.authorization.k8s.io', version: 'v1' };
const CLUSTER_ROLES: ResourceType = { ...RBAC, plural: 'clusterroles', kind: 'ClusterRole', namespaced: false };
const CLUSTER_ROLE_BINDINGS: ResourceType = {
  ...RBAC,
  plural: 'clusterrolebindings',
  kind: 'ClusterRoleBinding',
  namespaced: false,
};
const ROLE_BINDINGS: ResourceType = { ...RBAC, plural: 'rolebindings', kind: 'RoleBinding', namespaced: true };
const SERVICES: ResourceType = { group: '', version: 'v1', plural: 'services', kind: 'Service', namespaced: true };
const ENDPOINT_SLICES: ResourceType = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};
const API_SERVICES: ResourceType = {
  group: 'apiregistration.k8s.io',
  version: 'v1',
  plural: 'apiservices',
  kind: 'APIService',
  namespaced: false,
};

/** What metrics-server and its API need. */
export function metricsObjects(cluster: ClusterTopology): { type: ResourceType; object: KubeObject }[] {
  return [
    { type: CLUSTER_ROLES, object: { metadata: { name: METRICS_SERVER_USER }, rules: scraperRules() } },
    { type: CLUSTER_ROLES, object: readerRole() },
    { type: CLUSTER_ROLE_BINDINGS, object: binding(METRICS_SERVER_USER, 'ClusterRole', METRICS_SERVER_USER) },
    {
      type: CLUSTER_ROLE_BINDINGS,
      object: binding('metrics-server:system:auth-delegator', 'ClusterRole', 'system:auth-delegator'),
    },
    {
      type: ROLE_BINDINGS,
      object: binding('metrics-server-auth-reader', 'Role', 'extension-apiserver-authentication-reader', NAMESPACE),
    },
    { type: SERVICES, object: service() },
    { type: ENDPOINT_SLICES, object: endpoints(cluster) },
    { type: API_SERVICES, object: apiService() },
  ];
}

function scraperRules(): object[] {
  return [
    { apiGroups: [''], resources: ['nodes/metrics'], verbs: ['get'] },
    { apiGroups: [''], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] },
  ];
}

function readerRole(): KubeObject {
  return {
    metadata: {
      name: 'system:aggregated-metrics-reader',
      labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' },
    },
    rules: [{ apiGroups: ['metrics.k8s.io'], resources: ['pods', 'nodes'], verbs: ['get', 'list', 'watch'] }],
  };
}

function binding(name: string, kind: string, role: string, namespace?: string): KubeObject {
  const apiGroup = RBAC.group;
  return {
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    roleRef: { apiGroup, kind, name: role },
    subjects: [{ apiGroup, kind: 'User', name: METRICS_SERVER_USER }],
  };
}

function service(): KubeObject {
  return {
    metadata: { name: NAME, namespace: NAMESPACE, labels: { 'k8s-app': NAME } },
    spec: { ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: METRICS_SERVER_PORT }] },
  };
}

function endpoints(cluster: ClusterTopology): KubeObject {
  return {
    metadata: {
      name: 'metrics-server-node',
      namespace: NAMESPACE,
      labels: { 'kubernetes.io/service-name': NAME, 'endpointslice.kubernetes.io/managed-by': 'headcut-lab' },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [cluster.address], conditions: { ready: true }, nodeName: cluster.name }],
    ports: [{ name: 'https', port: METRICS_SERVER_PORT, protocol: 'TCP' }],
  };
}

function apiService(): KubeObject {
  return {
    metadata: { name: 'v1beta1.metrics.k8s.io' },
    spec: {
      service: { name: NAME, namespace: NAMESPACE },
      group: 'metrics.k8s.io',
      version: 'v1beta1',
      insecureSkipTLSVerify: true,
      groupPriorityMinimum: 100,
      versionPriority: 100,
    },
  };
}
