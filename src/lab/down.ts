import { rmSync } from 'node:fs';
import { killCgroup, readCgroupMounts, removeCgroup } from './cgroups.ts';
import { claimLabName, releaseLabName } from './lab-registry.ts';
import { removeClusterNetwork, removeLabNetwork } from './network.ts';
import { createTopology, labFolderOf, MAX_CLUSTERS } from './topology.ts';
import type { LabDeps } from './up.ts';

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
  const mounts = readCgroupMounts();
  progress.say(`ending the processes of lab "${name}"`);
  await killCgroup(mounts, topology.cgroup, clock);
  progress.say('removing networks, cgroups and files');
  for (const cluster of topology.clusters) await removeClusterNetwork(topology, cluster);
  await removeLabNetwork(topology);
  await removeCgroup(mounts, topology.cgroup, clock);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  releaseLabName(name);
  progress.say(`lab "${name}" is down`);
}
