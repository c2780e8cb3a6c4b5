import type { ClusterProvider } from '../provider.ts';
import { addonObjects } from './kubernetes/cluster-api.ts';
import { createClusterCertificates } from './kubernetes/cluster-certificates.ts';
import { privateFolders, writeClusterFiles } from './kubernetes/cluster-files.ts';
import { clients, foundation } from './kubernetes/components.ts';
import { CONTAINERD_SOCKET, layoutOf } from './kubernetes/layout.ts';
import { type ClusterRecipe, createProcessProvider, type ProcessProviderDeps } from './shared/process-provider.ts';

/** Clusters of upstream Kubernetes binaries, one process a component, laid out and flagged as `k0s controller --single` does. */
export function createKubernetesProvider(deps: ProcessProviderDeps): ClusterProvider {
  const recipe: ClusterRecipe = {
    name: 'kubernetes',
    privateFolders,
    write: async (cluster, launchers) => {
      await createClusterCertificates(cluster, deps.clock.now());
      await writeClusterFiles(cluster, launchers, deps.toolsFolder);
    },
    foundation,
    clients,
    objects: addonObjects,
    apiServer: 'kube-apiserver',
    kubelet: 'kubelet',
    containerdSocket: CONTAINERD_SOCKET,
    store: (cluster) => layoutOf(cluster).store,
  };
  return createProcessProvider(recipe, deps);
}
