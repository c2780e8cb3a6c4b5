import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FEDERATION_NAME, type FederationObject, type PeerObject } from '../../core/membership/peer-object.ts';
import { createKubeClient, type KubeClient } from '../../kube/client.ts';
import { kubeconfigConnection } from '../../kube/kubeconfig.ts';
import { FEDERATIONS, PEERS } from '../../kube/resources.ts';
import { DEPLOYMENT_NAMES } from '../../ops/install-objects.ts';
import { DEFAULT_INVITATION_TTL_MS, invite } from '../../ops/invite.ts';
import { DEFAULT_JOIN_TIMEOUT_MS, join as joinFederation } from '../../ops/join.ts';
import { kubectl } from '../kubectl.ts';
import type { LabContext, LabStep } from '../lab-context.ts';
import type { ClusterTopology } from '../topology.ts';

const AGENT_TIMEOUT = '--timeout=90s';

/** Installs the agent on every cluster, as a user does, and joins them: an invitation on the first, a join on each other. */
export const federationStep: LabStep = {
  title: 'joining the clusters',
  run: async (context) => {
    const { clusters } = context.topology;
    await Promise.all(clusters.map((cluster) => installAgent(context, cluster)));
    const [first, ...others] = clusters;
    if (first === undefined) return;
    for (const other of others) await joinCluster(context, first, other);
    await Promise.all(clusters.map((cluster) => waitForVirtualNodes(context, cluster)));
  },
};

async function installAgent(context: LabContext, cluster: ClusterTopology): Promise<void> {
  const manifests = join(context.root, 'manifests');
  const apply = ['apply', '--server-side', '--force-conflicts', '-f'];
  // The kinds have to be known before objects of them are applied.
  await kubectl(context, cluster.name, [...apply, manifests]);
  // Nobody approves serving certificates of kubelets in these clusters.
  await kubectl(context, cluster.name, [...apply, join(manifests, 'optional', 'csr-approver.yaml')]);
  if (context.provider.runsContainers) await rollOut(context, cluster);
  else await startProcess(context, cluster);
  await kubectl(context, cluster.name, [
    'wait',
    `federation/${FEDERATION_NAME}`,
    '--for=jsonpath={.status.id}',
    AGENT_TIMEOUT,
  ]);
  await letThisMachineIn(context, cluster);
  await giveName(context, cluster);
  context.progress.say(`the agent of cluster ${cluster.name} runs`);
}

/** Where no containers run, and no packets travel between pods. */
async function startProcess(context: LabContext, cluster: ClusterTopology): Promise<void> {
  const tokenOf = async (account: string): Promise<string> => {
    const create = ['-n', 'headcut-system', 'create', 'token', account, '--duration=720h'];
    return (await kubectl(context, cluster.name, create)).trim();
  };
  const tokens = { agent: await tokenOf('headcut'), approver: await tokenOf('headcut-approver') };
  await context.provider.startAgent(cluster, tokens);
  const federation = `federation/${FEDERATION_NAME}`;
  const patch = JSON.stringify({ spec: { network: { enabled: false } } });
  await kubectl(context, cluster.name, ['wait', federation, '--for=create', AGENT_TIMEOUT]);
  await kubectl(context, cluster.name, ['patch', federation, '--type=merge', '-p', patch]);
}

/** The pods of agent, guard and approver, of the image as it is now. */
async function rollOut(context: LabContext, cluster: ClusterTopology): Promise<void> {
  const image = createHash('sha256')
    .update(readFileSync(join(context.root, 'dist', 'images', 'headcut.tar')))
    .digest('hex');
  const patch = JSON.stringify({
    spec: { template: { metadata: { annotations: { 'headcut.dev/lab-image': image } } } },
  });
  const inNamespace = (...args: string[]): Promise<string> =>
    kubectl(context, cluster.name, ['-n', 'headcut-system', ...args]);
  const deployments = DEPLOYMENT_NAMES.map((name) => `deployment/${name}`);
  await inNamespace('patch', ...deployments, '-p', patch);
  for (const deployment of deployments) await inNamespace('rollout', 'status', deployment, AGENT_TIMEOUT);
}

/** Tests and benches on this machine ask virtual nodes and agents as a scraper elsewhere would. */
async function letThisMachineIn(context: LabContext, cluster: ClusterTopology): Promise<void> {
  const insiders = [`${context.topology.hostAddress}/32`];
  const patch = JSON.stringify({ spec: { network: { insiders } } });
  await kubectl(context, cluster.name, ['patch', `federation/${FEDERATION_NAME}`, '--type=merge', '-p', patch]);
}

/** A member is called after its node, if nobody says otherwise. */
async function giveName(context: LabContext, cluster: ClusterTopology): Promise<void> {
  if (context.provider.nodeName(cluster) === cluster.name) return;
  const patch = JSON.stringify({ spec: { name: cluster.name } });
  const named = `--for=jsonpath={.status.name}=${cluster.name}`;
  const federation = `federation/${FEDERATION_NAME}`;
  await kubectl(context, cluster.name, ['patch', federation, '--type=merge', '-p', patch]);
  await kubectl(context, cluster.name, ['wait', federation, named, AGENT_TIMEOUT]);
}

/** Nothing where the two know each other already. */
async function joinCluster(context: LabContext, inviting: ClusterTopology, joining: ClusterTopology): Promise<void> {
  const [home, away] = await Promise.all([connect(context, inviting), connect(context, joining)]);
  try {
    const { status } = await home.get<FederationObject>(FEDERATIONS, { name: FEDERATION_NAME });
    const { items } = await away.list<PeerObject>(PEERS);
    if (items.some((peer) => peer.spec.id === status?.id)) return;
    const { clock, signal } = context;
    const { token } = await invite(home, { ttlMs: DEFAULT_INVITATION_TTL_MS, randomBytes, clock });
    await joinFederation(away, token, { timeoutMs: DEFAULT_JOIN_TIMEOUT_MS, clock, signal });
    context.progress.say(`cluster ${joining.name} joined by an invitation of ${inviting.name}`);
  } finally {
    await Promise.all([home.close(), away.close()]);
  }
}

async function connect({ topology }: LabContext, cluster: ClusterTopology): Promise<KubeClient> {
  const path = join(topology.folder, 'kubeconfig');
  return createKubeClient(await kubeconfigConnection({ path, context: cluster.name }));
}

async function waitForVirtualNodes(context: LabContext, cluster: ClusterTopology): Promise<void> {
  const nodes = context.topology.clusters
    .filter((one) => one.name !== cluster.name)
    .map((one) => `node/headcut-${one.name}`);
  // One at a time: for several, `kubectl wait --for=create` fails at once when more than one of them is missing.
  for (const node of nodes)
    for (const condition of ['--for=create', '--for=condition=Ready'])
      await kubectl(context, cluster.name, ['wait', node, condition, AGENT_TIMEOUT]);
}
