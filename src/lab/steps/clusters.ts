import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { mergeKubeconfigs } from '../kubeconfig.ts';
import type { LabContext, LabStep } from '../lab-context.ts';
import { writeFileAtomically } from '../lab-state.ts';
import { createClusterNetwork, createLabNetwork } from '../network.ts';
import type { ClusterTopology } from '../topology.ts';

/** Brings the lab network and all clusters up, side by side, and writes the kubeconfigs. */
export const clustersStep: LabStep = {
  title: 'starting the clusters',
  run: async (context) => {
    const { topology, provider } = context;
    linkTools(context);
    if (provider.usesLabNetwork) await createLabNetwork(topology);
    for (const cluster of topology.clusters) {
      if (provider.usesLabNetwork) await createClusterNetwork(topology, cluster);
      await provider.create(cluster);
    }
    writeKubeconfigs(context);
    await Promise.all(topology.clusters.map((cluster) => startCluster(context, cluster)));
  },
};

async function startCluster({ provider, progress, signal }: LabContext, cluster: ClusterTopology): Promise<void> {
  await provider.start(cluster, signal);
  progress.say(`cluster ${cluster.name} is ready (${await provider.address(cluster)})`);
}

/** One kubeconfig a cluster beside the merged one, whose contexts are the clusters' names. */
function writeKubeconfigs({ topology, provider }: LabContext): void {
  const texts = topology.clusters.map((cluster) => readFileSync(provider.kubeconfig(cluster), 'utf8'));
  for (const [index, { name }] of topology.clusters.entries())
    writeFileAtomically(join(topology.folder, `kubeconfig-${name}`), texts[index] ?? '', 0o600);
  const merged = mergeKubeconfigs(
    texts.map((text) => parse(text)),
    topology.clusters[0]?.name ?? '',
  );
  writeFileAtomically(join(topology.folder, 'kubeconfig'), merged, 0o600);
}

/** kubectl of the clusters' own version, for machines that have none, and the command of this checkout, also as kubectl's plugin. */
function linkTools({ root, topology, toolsFolder }: LabContext): void {
  const folder = join(topology.folder, 'bin');
  const command = join(root, 'scripts', 'headcut');
  const targets = { kubectl: join(toolsFolder, 'kubectl'), headcut: command, 'kubectl-headcut': command };
  mkdirSync(folder, { recursive: true });
  for (const [name, target] of Object.entries(targets)) {
    const link = join(folder, name);
    rmSync(link, { force: true });
    if (existsSync(target)) symlinkSync(target, link);
  }
}
