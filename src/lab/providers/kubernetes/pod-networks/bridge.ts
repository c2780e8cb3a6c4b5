import { NODE_POD_CIDR } from '../cluster-constants.ts';
import type { PodNetworkParts } from './parts-of-network.ts';

const CONFIGURATION = {
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isDefaultGateway: true,
      hairpinMode: true,
      ipMasq: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: NODE_POD_CIDR }]] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
};

/** The bridge plugin of the machine alone: all that a cluster of one node needs. */
export const BRIDGE: PodNetworkParts = {
  files: { 'cni/10-pods.conflist': `${JSON.stringify(CONFIGURATION, null, 2)}\n` },
  onceFiles: {},
  components: () => [],
  objects: [],
  users: {},
  privateFolders: {},
  hasPlugin: false,
};
