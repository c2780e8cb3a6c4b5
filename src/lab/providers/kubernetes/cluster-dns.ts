import { join } from 'node:path';
import type { KubeObject } from '../../../core/kube-objects.ts';
import type { ResourceType } from '../../../kube/resources.ts';
import { sharingKinds } from '../../../ops/install-objects.ts';
import type { ClusterTopology } from '../../topology.ts';
import { CLUSTER_DOMAIN, CLUSTERSET_DOMAIN, DNS_METRICS_PORT, DNS_PORT, DNS_SERVICE_IP } from './cluster-constants.ts';
import { grantToUser } from './cluster-roles.ts';
import { layoutOf } from './layout.ts';

/**
 * CoreDNS runs as a process on the node, because no image of it can be pulled. The Service `kube-dns` leads to it,
 * so pods see what they see on k0s. Names outside the cluster get an answer at once: they do not exist.
 */
export function corefile(cluster: ClusterTopology): string {
  return `${CLUSTER_DOMAIN}:${DNS_PORT} in-addr.arpa:${DNS_PORT} ip6.arpa:${DNS_PORT} {
  bind ${cluster.address}
  errors
  kubernetes ${CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {
    kubeconfig ${join(layoutOf(cluster).etc, 'coredns.kubeconfig')} ${cluster.name}
    pods insecure
    ttl 30
  }
  prometheus ${cluster.address}:${DNS_METRICS_PORT}
  cache 30
  loadbalance
}
${CLUSTERSET_DOMAIN}:${DNS_PORT} {
  bind ${cluster.address}
  errors
  kubernetes ${CLUSTERSET_DOMAIN} {
    kubeconfig ${join(layoutOf(cluster).etc, 'coredns.kubeconfig')} ${cluster.name}
    multicluster ${CLUSTERSET_DOMAIN}
  }
  loadbalance
}
.:${DNS_PORT} {
  bind ${cluster.address}
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;
}

const CUSTOM_RESOURCE_DEFINITIONS: ResourceType = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};
const SERVICES: ResourceType = { group: '', version: 'v1', plural: 'services', kind: 'Service', namespaced: true };
const ENDPOINT_SLICES: ResourceType = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};

/** What CoreDNS and its Service need in the API. */
export function dnsObjects(cluster: ClusterTopology): { type: ResourceType; object: KubeObject }[] {
  return [
    // CoreDNS waits for seconds where the kinds that it watches are not there yet.
    ...sharingKinds().map((object) => ({ type: CUSTOM_RESOURCE_DEFINITIONS, object })),
    ...grantToUser('system:coredns', dnsRules()),
    { type: SERVICES, object: dnsService() },
    { type: ENDPOINT_SLICES, object: dnsEndpoints(cluster) },
  ];
}

function dnsRules(): object[] {
  const verbs = ['get', 'list', 'watch'];
  return [
    { apiGroups: [''], resources: ['services', 'pods', 'namespaces', 'nodes', 'endpoints'], verbs },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs },
    { apiGroups: ['multicluster.x-k8s.io'], resources: ['serviceimports'], verbs },
  ];
}

function dnsService(): KubeObject {
  return {
    metadata: { name: 'kube-dns', namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' } },
    spec: {
      clusterIP: DNS_SERVICE_IP,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: DNS_PORT },
        { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: DNS_PORT },
        { name: 'metrics', port: DNS_METRICS_PORT, protocol: 'TCP', targetPort: DNS_METRICS_PORT },
      ],
    },
  };
}

function dnsEndpoints(cluster: ClusterTopology): KubeObject {
  return {
    metadata: {
      name: 'kube-dns-node',
      namespace: 'kube-system',
      labels: { 'kubernetes.io/service-name': 'kube-dns', 'endpointslice.kubernetes.io/managed-by': 'headcut-lab' },
    },
    addressType: 'IPv4',
    endpoints: [{ addresses: [cluster.address], conditions: { ready: true }, nodeName: cluster.name }],
    ports: [
      { name: 'dns', port: DNS_PORT, protocol: 'UDP' },
      { name: 'dns-tcp', port: DNS_PORT, protocol: 'TCP' },
      { name: 'metrics', port: DNS_METRICS_PORT, protocol: 'TCP' },
    ],
  };
}
