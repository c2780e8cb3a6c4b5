import { rmSync } from 'node:fs';
import { CodedError } from '../core/coded-error.ts';
import { killCgroup, readCgroupMounts, removeCgroup } from './cgroups.ts';
import { claimLabName, releaseLabName } from './lab-registry.ts';
import { readLabState } from './lab-state.ts';
import { removeMountPoints } from './mount-points.ts';
import { removeClusterNetwork, removeLabNetwork } from './network.ts';
import { chooseProvider } from './providers/choose-provider.ts';
import { unmountStores } from './store-disk.ts';
import { createTopology, type LabTopology, labFolderOf, MAX_CLUSTERS } from './topology.ts';
import type { LabDeps } from './up.ts';

/** Where the state folder is damaged nothing tells whether there are some. */
async function removeKindClusters(topology: LabTopology, deps: LabDeps): Promise<void> {
  const known = providerOf(topology.folder);
  if (known !== 'kind' && known !== 'unknown') return;
  const provider = chooseProvider('kind', deps);
  try {
    deps.progress.say(`removing clusters of kind of lab "${topology.name}"`);
    for (const cluster of topology.clusters) await provider.destroy(cluster);
  } catch (error) {
    if (known === 'kind' || !(error instanceof CodedError && error.code === 'FailedPrecondition')) throw error;
    deps.progress.say(`there can be none: ${error.message}`);
  }
}

function providerOf(folder: string): string | undefined {
  try {
    return readLabState(folder)?.provider;
  } catch {
    return 'unknown';
  }
}

/**
 * Ends a lab and removes all that it made, its data included. It goes by names alone, so that it works whatever is left:
 * after a crash, a killed `up`, or with a damaged state folder.
 */
export async function takeDown(name: string, deps: LabDeps): Promise<void> {
  const { clock, progress } = deps;
  const folder = labFolderOf(deps.root, name);
  // Addresses do not matter for removal.
  const topology = createTopology({ name, folder, subnet: '192.0.2', clusterCount: MAX_CLUSTERS });
  claimLabName(name, folder);
  await removeKindClusters(topology, deps);
  const mounts = readCgroupMounts();
  progress.say(`ending the processes of lab "${name}"`);
  await killCgroup(mounts, topology.cgroup, clock);
  progress.say('removing networks, cgroups and files');
  for (const cluster of topology.clusters) await removeClusterNetwork(topology, cluster);
  await removeLabNetwork(topology);
  await removeCgroup(mounts, topology.cgroup, clock);
  await unmountStores(folder);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  releaseLabName(name);
  removeMountPoints();
  progress.say(`lab "${name}" is down`);
}
