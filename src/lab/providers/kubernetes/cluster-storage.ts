import { join } from 'node:path';
import { kubeYaml } from '../../../runtime/kube-yaml.ts';
import type { ClusterTopology } from '../../topology.ts';
import { grantToUser } from './cluster-roles.ts';
import type { Flags } from './control-plane-flags.ts';
import type { LabObject } from './lab-object.ts';
import { layoutOf, VOLUMES_FOLDER } from './layout.ts';

/**
 * rancher's local-path-provisioner, which many single-node clusters have for volumes: a folder of the node for each. It runs as a
 * process on the node, because no image of it can be pulled; its configuration is that of its own manifest, with the demo's image for the
 * pods that make and remove folders.
 */

export const PROVISIONER = 'local-path-provisioner';
const USER = 'system:local-path-provisioner';
const NAMESPACE = 'local-path-storage';
const CONFIG_MAP = 'local-path-config';
const HELPER_IMAGE = 'headcut.dev/demo:0.1.0';

const CONFIGURATION = { nodePathMap: [{ node: 'DEFAULT_PATH_FOR_NON_LISTED_NODES', paths: [VOLUMES_FOLDER] }] };

const HELPER_POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'helper-pod' },
  spec: { containers: [{ name: 'helper-pod', image: HELPER_IMAGE, imagePullPolicy: 'IfNotPresent' }] },
};

/** Name → text. */
export const STORAGE_FILES: Readonly<Record<string, string>> = {
  'local-path.json': `${JSON.stringify(CONFIGURATION, null, 2)}\n`,
  'local-path-helper.yaml': kubeYaml(HELPER_POD),
};

export function provisionerArguments(cluster: ClusterTopology): string[] {
  const { etc } = layoutOf(cluster);
  const flags: Flags = {
    config: join(etc, 'local-path.json'),
    'helper-pod-file': join(etc, 'local-path-helper.yaml'),
    'helper-image': HELPER_IMAGE,
    kubeconfig: join(etc, `${PROVISIONER}.kubeconfig`),
    namespace: NAMESPACE,
    'configmap-name': CONFIG_MAP,
    'service-account-name': 'default',
  };
  return [PROVISIONER, 'start', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])];
}

export const PROVISIONER_USERS = { [PROVISIONER]: { commonName: USER } };

const core = (plural: string, kind: string, namespaced: boolean) => ({
  group: '',
  version: 'v1',
  plural,
  kind,
  namespaced,
});
const STORAGE_CLASSES = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'storageclasses',
  kind: 'StorageClass',
  namespaced: false,
};

/** Its namespace, scripts and rights, and its class, which is the default one. */
export function storageObjects(): LabObject[] {
  return [
    { type: core('namespaces', 'Namespace', false), object: { metadata: { name: NAMESPACE } } },
    {
      type: core('configmaps', 'ConfigMap', true),
      object: {
        metadata: { name: CONFIG_MAP, namespace: NAMESPACE },
        data: {
          setup: '#!/bin/sh\nset -eu\nmkdir -m 0777 -p "$VOL_DIR"\n',
          teardown: '#!/bin/sh\nset -eu\nrm -rf "$VOL_DIR"\n',
        },
      },
    },
    {
      type: STORAGE_CLASSES,
      object: {
        metadata: { name: 'local-path', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
        provisioner: 'rancher.io/local-path',
        volumeBindingMode: 'WaitForFirstConsumer',
        reclaimPolicy: 'Delete',
      },
    },
    ...grantToUser(USER, [
      { apiGroups: [''], resources: ['nodes', 'configmaps', 'pods', 'pods/log'], verbs: ['get', 'list', 'watch'] },
      { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: ['get', 'list', 'watch', 'patch', 'update'] },
      {
        apiGroups: [''],
        resources: ['persistentvolumes'],
        verbs: ['get', 'list', 'watch', 'create', 'patch', 'update', 'delete'],
      },
      { apiGroups: [''], resources: ['pods'], verbs: ['create', 'delete'] },
      { apiGroups: [''], resources: ['events'], verbs: ['create', 'patch'] },
      { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['get', 'list', 'watch'] },
    ]),
  ];
}
