import { join } from 'node:path';
import { kubeYaml } from '../../../runtime/kube-yaml.ts';
import type { ClusterTopology } from '../../topology.ts';
import { POD_CIDR, SANDBOX_IMAGE, SERVICE_CIDR } from '../kubernetes/cluster-constants.ts';
import { layoutOf, VOLUMES_FOLDER } from '../kubernetes/layout.ts';
import type { ContainerdSettings } from '../kubernetes/node-configuration.ts';

/**
 * What k0s is told. Its images cannot be pulled here, because a lab reaches nothing outside; so what k0s runs from images
 * is switched off, and the lab runs it as processes or does without. Everything else is as k0s has it by default.
 */

/** Folders of the machine that k0s uses and each cluster has for itself; /run, which k0s uses too, is private anyway. */
export const K0S_PRIVATE_FOLDERS = {
  '/etc/k0s': 'etc-k0s',
  '/var/lib/k0s': 'k0s',
  '/var/lib/cni': 'cni',
  [VOLUMES_FOLDER]: 'volumes',
  '/var/log/pods': 'pod-logs',
  '/var/log/containers': 'container-logs',
} as const;

/** The data folder of a cluster's k0s, from outside. */
export function k0sDataFolder(cluster: ClusterTopology): string {
  return join(layoutOf(cluster).data, K0S_PRIVATE_FOLDERS['/var/lib/k0s']);
}

/** k0s has no option for where it keeps its sockets. */
export const K0S_CONTAINERD_SOCKET = '/run/k0s/containerd.sock';

/** Those that come as images, and those that look for updates. */
const DISABLED_COMPONENTS = [
  'autopilot',
  'coredns',
  'konnectivity-server',
  'kube-proxy',
  'metrics-server',
  'network-provider',
  'update-prober',
];

/** `k0s controller --single` for one cluster. */
export function k0sArguments(cluster: ClusterTopology): string[] {
  // An empty cgroup name: the kubelet stays in the cluster's cgroup, where it is found again.
  const kubelet = [`--node-ip=${cluster.address}`, '--runtime-cgroups='];
  return [
    'controller',
    '--single',
    `--config=${join(layoutOf(cluster).etc, 'k0s.yaml')}`,
    `--disable-components=${DISABLED_COMPONENTS.join(',')}`,
    `--kubelet-extra-args=${kubelet.join(' ')}`,
    // Control groups of version 1, and the limits on files of a container, are no reason not to start.
    '--ignore-pre-flight-checks',
  ];
}

export function k0sConfiguration(cluster: ClusterTopology): string {
  const [pauseImage, pauseVersion] = SANDBOX_IMAGE.split(':');
  return kubeYaml({
    apiVersion: 'k0s.k0sproject.io/v1beta1',
    kind: 'ClusterConfig',
    metadata: { name: 'k0s' },
    spec: {
      api: { address: cluster.address, sans: [cluster.address, cluster.name] },
      network: { provider: 'custom', podCIDR: POD_CIDR, serviceCIDR: SERVICE_CIDR, kubeProxy: { disabled: true } },
      telemetry: { enabled: false },
      images: { pause: { image: pauseImage, version: pauseVersion } },
      workerProfiles: [{ name: 'default', values: kubeletValues(cluster) }],
    },
  });
}

/** Only what several kubelets on one machine, or in a container, need; the reasons stand at the other provider's configuration. */
function kubeletValues(cluster: ClusterTopology): object {
  return {
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${cluster.cgroup}`,
    kubeletCgroups: '',
    kubeReservedCgroup: '',
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    imageGCHighThresholdPercent: 100,
    oomScoreAdj: 0,
    // k0s has it in a folder of the machine that all clusters would share.
    volumePluginDir: '/var/lib/k0s/volume-plugins',
    resolvConf: join(layoutOf(cluster).etc, 'resolv.conf'),
  };
}

/** A file below /etc/k0s/containerd.d, which k0s's containerd reads beside k0s's own. */
export function containerdDropIn(cluster: ClusterTopology, settings: ContainerdSettings): string {
  const plugins = settings.cniPluginFolders.map((folder) => JSON.stringify(folder)).join(', ');
  return `version = 3
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "${settings.snapshotter}"

[plugins."io.containerd.cri.v1.runtime"]
  # Without CAP_SYS_RESOURCE runc cannot lower it, and every sandbox would fail.
  restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = [${plugins}]
  conf_dir = "${join(layoutOf(cluster).etc, 'cni')}"
`;
}
