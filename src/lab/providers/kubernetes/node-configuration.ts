import { join } from 'node:path';
import { kubeYaml } from '../../../runtime/kube-yaml.ts';
import type { ClusterTopology } from '../../topology.ts';
import { CLUSTER_DOMAIN, DNS_SERVICE_IP, POD_CIDR, SANDBOX_IMAGE } from './cluster-constants.ts';
import { CONTAINERD_SOCKET, layoutOf } from './layout.ts';

/** Configuration files of what runs pods: kubelet, kube-proxy and containerd. Each function gives the file's text. */

export function kubeletConfiguration(cluster: ClusterTopology): string {
  const { pki, etc } = layoutOf(cluster);
  return kubeYaml({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(pki, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: join(pki, 'kubelet-server.crt'),
    tlsPrivateKeyFile: join(pki, 'kubelet-server.key'),
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    clusterDNS: [DNS_SERVICE_IP],
    clusterDomain: CLUSTER_DOMAIN,
    resolvConf: join(etc, 'resolv.conf'),
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    cgroupDriver: 'cgroupfs',
    // Kubelets that share a cgroup tree end each other's pods.
    cgroupRoot: `/${cluster.cgroup}`,
    enforceNodeAllocatable: [],
    failCgroupV1: false,
    failSwapOn: false,
    // The machine may be full for reasons of its own; that is no reason to evict a lab's pods.
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'nodefs.inodesFree': '0%',
      'imagefs.available': '0%',
    },
    imageGCHighThresholdPercent: 100,
    // Lowering it needs CAP_SYS_RESOURCE, which root in a container may lack.
    oomScoreAdj: 0,
  });
}

export function kubeProxyConfiguration(cluster: ClusterTopology): string {
  return kubeYaml({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    bindAddress: '0.0.0.0',
    clientConnection: { kubeconfig: join(layoutOf(cluster).etc, 'kube-proxy.kubeconfig') },
    clusterCIDR: POD_CIDR,
    hostnameOverride: cluster.name,
    mode: cluster.podNetwork.kubeProxy,
    // The limits of connection tracking belong to the machine and cannot be set from a network namespace.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
    oomScoreAdj: 0,
  });
}

export interface ContainerdSettings {
  /** Folders with CNI plugins that exist on this machine. */
  cniPluginFolders: string[];
  snapshotter: 'overlayfs' | 'native';
}

/** Version 3, as k0s writes it. */
export function containerdConfiguration(cluster: ClusterTopology, settings: ContainerdSettings): string {
  const plugins = settings.cniPluginFolders.map((folder) => JSON.stringify(folder)).join(', ');
  return `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
imports = []
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp"]

[grpc]
  address = "${CONTAINERD_SOCKET}"

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "${settings.snapshotter}"

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "${SANDBOX_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
  # Without CAP_SYS_RESOURCE runc cannot lower it, and every sandbox would fail.
  restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
  bin_dirs = [${plugins}]
  conf_dir = "${join(layoutOf(cluster).etc, 'cni')}"

[plugins."io.containerd.cri.v1.runtime".containerd]
  default_runtime_name = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
  SystemdCgroup = false
`;
}
