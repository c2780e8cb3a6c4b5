import { join } from 'node:path';
import type { ClusterTopology } from '../../../topology.ts';
import type { Component } from '../component.ts';
import { quote } from '../launchers.ts';
import { layoutOf } from '../layout.ts';

/**
 * A component that starts when the node has its pod network. Without one flanneld and kube-router end, and where they are pods
 * their kubelet starts them again.
 */
export function onceNodeHasPrefix(cluster: ClusterTopology, { name, argv }: Component): Component {
  const kubeconfig = quote(join(layoutOf(cluster).etc, `${name}.kubeconfig`));
  const prefix = `kubectl --kubeconfig=${kubeconfig} get node ${cluster.name} -o 'jsonpath={.spec.podCIDR}' 2>/dev/null`;
  return { name, argv: ['sh', '-c', `until [ -n "$(${prefix})" ]; do sleep 1; done; exec "$@"`, '--', ...argv] };
}
