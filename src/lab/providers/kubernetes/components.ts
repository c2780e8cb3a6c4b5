import { join } from 'node:path';
import type { ClusterTopology } from '../../topology.ts';
import { metricsServerFlags } from './cluster-metrics.ts';
import { PROVISIONER, provisionerArguments } from './cluster-storage.ts';
import { type Component, component } from './component.ts';
import { apiServerFlags, controllerManagerFlags, kineFlags, schedulerFlags } from './control-plane-flags.ts';
import { layoutOf } from './layout.ts';
import { podNetworkPartsOf } from './pod-networks/pod-network-parts.ts';

/** What runs first; the API server answers when these do. */
export function foundation(cluster: ClusterTopology): Component[] {
  return [
    component('kine', kineFlags(cluster)),
    component('containerd', { config: join(layoutOf(cluster).etc, 'containerd.toml') }),
    component('kube-apiserver', apiServerFlags(cluster)),
  ];
}

/**
 * What runs once the API server has its RBAC rules. A kubelet that starts earlier fails to set up its CSINode, retries
 * with growing pauses, and the node stays NotReady for a minute or two.
 */
export function clients(cluster: ClusterTopology): Component[] {
  const { etc } = layoutOf(cluster);
  return [
    component('kube-controller-manager', controllerManagerFlags(cluster)),
    component('kubelet', {
      config: join(etc, 'kubelet.yaml'),
      kubeconfig: join(etc, 'kubelet.kubeconfig'),
      'hostname-override': cluster.name,
      'node-ip': cluster.address,
      'root-dir': '/var/lib/kubelet',
      'cert-dir': '/var/lib/kubelet/pki',
    }),
    component('kube-proxy', { config: join(etc, 'kube-proxy.yaml') }),
    component('kube-scheduler', schedulerFlags(cluster)),
    component('metrics-server', metricsServerFlags(cluster)),
    { name: 'coredns', argv: ['coredns', '-conf', join(etc, 'Corefile')] },
    { name: PROVISIONER, argv: provisionerArguments(cluster) },
    ...podNetworkPartsOf(cluster).components(cluster),
  ];
}

export function allComponents(cluster: ClusterTopology): Component[] {
  return [...foundation(cluster), ...clients(cluster)];
}
