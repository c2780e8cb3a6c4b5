import { join } from 'node:path';
import { kubectl } from '../kubectl.ts';
import type { LabContext, LabStep } from '../lab-context.ts';
import type { ClusterTopology } from '../topology.ts';

const AGENT_TIMEOUT = '--timeout=90s';

/** Installs the agent on every cluster, as a user does, and joins them: an invitation on the first, a join on each other. */
export const federationStep: LabStep = {
  title: 'joining the clusters',
  run: async (context) => {
    await Promise.all(context.topology.clusters.map((cluster) => installAgent(context, cluster)));
  },
};

async function installAgent(context: LabContext, cluster: ClusterTopology): Promise<void> {
  const manifests = join(context.root, 'manifests');
  await kubectl(context, cluster.name, ['apply', '--server-side', '--force-conflicts', '-f', manifests]);
  const deployment = ['-n', 'headcut-system', 'rollout', 'status', 'deployment/headcut', AGENT_TIMEOUT];
  await kubectl(context, cluster.name, deployment);
  context.progress.say(`the agent of cluster ${cluster.name} runs`);
}
