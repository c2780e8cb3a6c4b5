import { join } from 'node:path';
import { SERVICE_CIDR } from '../cluster-constants.ts';
import { grantToUser } from '../cluster-roles.ts';
import { component } from '../component.ts';
import { layoutOf } from '../layout.ts';
import { onceNodeHasPrefix } from './node-prefix.ts';
import type { PodNetworkParts } from './parts-of-network.ts';

/** Configuration, flags and rights that k0s gives its default CNI (k0s: pkg/component/controller/kuberouter.go). */

const NAME = 'kube-router';
const USER = 'system:kube-router';
const CONFLIST = 'cni/10-kuberouter.conflist';
const READ = ['list', 'get', 'watch'];

const CNI_CONFIGURATION = {
  cniVersion: '0.3.0',
  name: 'mynet',
  plugins: [
    {
      name: 'kubernetes',
      type: 'bridge',
      bridge: 'kube-bridge',
      isDefaultGateway: true,
      hairpinMode: true,
      ipMasq: false,
      // kube-router writes the node's prefix here.
      ipam: { type: 'host-local' },
    },
    { type: 'portmap', capabilities: { snat: true, portMappings: true } },
  ],
};

export const KUBE_ROUTER: PodNetworkParts = {
  files: {},
  onceFiles: {
    [`etc/${CONFLIST}`]: `${JSON.stringify(CNI_CONFIGURATION, null, 2)}\n`,
    'data/iproute2/rt_tables': '# Routing tables of this cluster.\n',
  },
  components: (cluster) => {
    const { etc } = layoutOf(cluster);
    const { argv } = component(NAME, {
      'run-router': 'true',
      'run-firewall': 'true',
      'run-service-proxy': 'false',
      'bgp-graceful-restart': 'true',
      'enable-ipv4': 'true',
      'enable-ipv6': 'false',
      'auto-mtu': 'true',
      'metrics-port': '8080',
      'hairpin-mode': 'true',
      'service-cluster-ip-range': SERVICE_CIDR,
      kubeconfig: join(etc, `${NAME}.kubeconfig`),
    });
    const environment = [`NODE_NAME=${cluster.name}`, `KUBE_ROUTER_CNI_CONF_FILE=${join(etc, CONFLIST)}`];
    return [onceNodeHasPrefix(cluster, { name: NAME, argv: ['env', ...environment, ...argv] })];
  },
  objects: grantToUser(USER, [
    { apiGroups: [''], resources: ['namespaces', 'pods', 'services', 'nodes', 'endpoints'], verbs: READ },
    { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: READ },
    { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['get', 'create', 'update'] },
    { apiGroups: [''], resources: ['services/status'], verbs: ['update'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: READ },
  ]),
  users: { [NAME]: { commonName: USER } },
  // It names its routing table in there.
  privateFolders: { '/etc/iproute2': 'iproute2' },
  hasPlugin: false,
};
