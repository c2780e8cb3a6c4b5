import type { LabContext } from './lab-context.ts';
import { createClusterNetwork, createLabNetwork } from './network.ts';
import type { ClusterTopology } from './topology.ts';

/** Stops a cluster as a machine that is switched off, and starts it again with its data. */
export async function restartCluster(context: LabContext, cluster: ClusterTopology): Promise<void> {
  const { topology, provider, progress, signal } = context;
  progress.say(`stopping cluster ${cluster.name}`);
  await provider.stop(cluster);
  progress.say(`starting cluster ${cluster.name}`);
  if (provider.usesLabNetwork) {
    await createLabNetwork(topology);
    await createClusterNetwork(topology, cluster);
  }
  await provider.create(cluster);
  await provider.start(cluster, signal);
  progress.say(`cluster ${cluster.name} is ready`);
}
