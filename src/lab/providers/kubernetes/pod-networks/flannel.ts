import { join } from 'node:path';
import { POD_CIDR } from '../cluster-constants.ts';
import { grantToUser } from '../cluster-roles.ts';
import { component } from '../component.ts';
import { layoutOf } from '../layout.ts';
import { onceNodeHasPrefix } from './node-prefix.ts';
import type { PodNetworkParts } from './parts-of-network.ts';

/** Configuration, flags and rights of flannel's own manifest (flannel-io/flannel: Documentation/kube-flannel.yml). */

const NAME = 'flanneld';
const USER = 'system:flannel';

const CNI_CONFIGURATION = {
  name: 'cbr0',
  // The newest that its plugin of the last release with one speaks.
  cniVersion: '0.3.1',
  plugins: [
    { type: 'flannel', delegate: { hairpinMode: true, isDefaultGateway: true } },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

/**
 * vxlan, as in the manifest: with one node neither backend carries a packet, but this one makes a link and smaller packets (1450)
 * as users of flannel have them. The kernel has to know VXLAN for it.
 */
const NETWORK = { Network: POD_CIDR, EnableNFTables: false, Backend: { Type: 'vxlan' } };

export const FLANNEL: PodNetworkParts = {
  files: {
    'cni/10-flannel.conflist': `${JSON.stringify(CNI_CONFIGURATION, null, 2)}\n`,
    'flannel.json': `${JSON.stringify(NETWORK, null, 2)}\n`,
  },
  onceFiles: {},
  components: (cluster) => {
    const { etc } = layoutOf(cluster);
    const { argv } = component(NAME, {
      'ip-masq': 'true',
      'kube-subnet-mgr': 'true',
      'kubeconfig-file': join(etc, `${NAME}.kubeconfig`),
      'net-config-path': join(etc, 'flannel.json'),
    });
    return [onceNodeHasPrefix(cluster, { name: NAME, argv: ['env', `NODE_NAME=${cluster.name}`, ...argv] })];
  },
  objects: grantToUser(USER, [
    { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
    { apiGroups: [''], resources: ['nodes'], verbs: ['get', 'list', 'watch'] },
    { apiGroups: [''], resources: ['nodes/status'], verbs: ['patch'] },
  ]),
  users: { [NAME]: { commonName: USER } },
  privateFolders: {},
  hasPlugin: true,
};
