import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '../../../core/kube-objects.ts';
import { NODES } from '../../../kube/resources.ts';
import type { AgentTokens, ClusterProvider } from '../../provider.ts';
import type { ClusterTopology } from '../../topology.ts';
import { createClusterCertificates } from '../kubernetes/cluster-certificates.ts';
import { API_PORT, NODE_POD_CIDR } from '../kubernetes/cluster-constants.ts';
import { writeEtc } from '../kubernetes/cluster-files.ts';
import { type Component, component } from '../kubernetes/component.ts';
import { clients as kubernetesClients, foundation as kubernetesFoundation } from '../kubernetes/components.ts';
import { componentScript, holderScript, namespacesScript, quote } from '../kubernetes/launchers.ts';
import { layoutOf } from '../kubernetes/layout.ts';
import { type ClusterRecipe, createProcessProvider, type ProcessProviderDeps } from '../shared/process-provider.ts';
import { kwokConfiguration } from './stages.ts';

export interface KwokProviderDeps extends ProcessProviderDeps {
  /** The checkout, whose agent runs. */
  root: string;
}

const KUBELET_PORT = '10250';
/** As a kubelet's. */
const LEASE_SECONDS = '40';
const AGENT = 'headcut-agent';
const NETWORK = 'headcut-network';
const FENCE = 'headcut-fence';
const APPROVER = 'headcut-approver';
/** With the socket, and with what it remembers. */
const FENCE_FOLDER = '/run/headcut-fence';
const CREDENTIALS = 'serviceaccount';
/** Those of the approver are not the agent's. */
const APPROVER_CREDENTIALS = 'approver-serviceaccount';
const PRIVATE_FOLDERS = { '/run/secrets/kubernetes.io/serviceaccount': CREDENTIALS } as const;

/**
 * Clusters of a real control plane with a node that is none: what is bound to it becomes Running without a container. The agent, which
 * would be one, runs as a process.
 */
export function createKwokProvider(deps: KwokProviderDeps): ClusterProvider {
  const foundation = (cluster: ClusterTopology): Component[] =>
    kubernetesFoundation(cluster).filter(({ name }) => name !== 'containerd');
  const controlPlane = (cluster: ClusterTopology): Component[] =>
    kubernetesClients(cluster).filter(({ name }) => ['kube-controller-manager', 'kube-scheduler'].includes(name));
  const clients = (cluster: ClusterTopology): Component[] => {
    const agent = existsSync(join(credentialsOf(cluster), 'token')) ? agentOf(cluster, deps.root) : [];
    return [...controlPlane(cluster), kwokOf(cluster), ...agent];
  };
  const recipe: ClusterRecipe = {
    name: 'kwok',
    // What it mounts over is in its own /run.
    privateFolders: () => ({}),
    write: async (cluster, launchers) => {
      await createClusterCertificates(cluster, deps.clock.now());
      const all = [...foundation(cluster), ...controlPlane(cluster), kwokOf(cluster), ...agentOf(cluster, deps.root)];
      writeEtc(cluster, {
        'kwok.yaml': kwokConfiguration(),
        'namespaces.sh': namespacesScript(cluster, PRIVATE_FOLDERS),
        'holder.sh': holderScript(cluster, launchers),
        ...Object.fromEntries(all.map((one) => [`${one.name}.sh`, componentScript(cluster, one, launchers)])),
      });
    },
    foundation,
    clients,
    objects: (cluster) => [{ type: NODES, object: nodeOf(cluster) }],
    apiServer: 'kube-apiserver',
    kubelet: 'kwok',
    store: (cluster) => layoutOf(cluster).store,
    containerdSocket: undefined,
    agent: {
      components: (cluster) => agentOf(cluster, deps.root),
      giveCredentials,
    },
  };
  return createProcessProvider(recipe, deps);
}

const credentialsOf = (cluster: ClusterTopology): string => join(layoutOf(cluster).data, CREDENTIALS);

function giveCredentials(cluster: ClusterTopology, { agent, approver }: AgentTokens): void {
  const { data, pki } = layoutOf(cluster);
  for (const [folder, token] of Object.entries({ [CREDENTIALS]: agent, [APPROVER_CREDENTIALS]: approver })) {
    mkdirSync(join(data, folder), { recursive: true });
    copyFileSync(join(pki, 'ca.crt'), join(data, folder, 'ca.crt'));
    writeFileSync(join(data, folder, 'token'), token, { mode: 0o600 });
  }
}

function kwokOf(cluster: ClusterTopology): Component {
  const { etc, pki, adminKubeconfig } = layoutOf(cluster);
  const { argv } = component('kwok', {
    config: join(etc, 'kwok.yaml'),
    kubeconfig: adminKubeconfig,
    'manage-single-node': cluster.name,
    'node-name': cluster.name,
    'node-ip': cluster.address,
    'node-port': KUBELET_PORT,
    'server-address': `${cluster.address}:${KUBELET_PORT}`,
    'tls-cert-file': join(pki, 'kubelet-server.crt'),
    'tls-private-key-file': join(pki, 'kubelet-server.key'),
    'node-lease-duration-seconds': LEASE_SECONDS,
    cidr: NODE_POD_CIDR,
  });
  // A kwok does nothing for the node before the lease of the one that ran before it is over.
  const admin = `kubectl --kubeconfig=${quote(adminKubeconfig)} --namespace=kube-node-lease`;
  const forget = `${admin} delete lease ${cluster.name} --ignore-not-found; exec "$@"`;
  return { name: 'kwok', argv: ['sh', '-c', forget, '--', ...argv] };
}

/** The containers of manifests/50-agent.yaml, 55-fence.yaml and 56-approver.yaml, with the environment set there and what a kubelet adds to it. */
function agentOf(cluster: ClusterTopology, root: string): Component[] {
  const environment = {
    NODE_NAME: cluster.name,
    HOST_IP: cluster.address,
    KUBERNETES_SERVICE_HOST: cluster.address,
    KUBERNETES_SERVICE_PORT: String(API_PORT),
  };
  const settings = Object.entries(environment).map((pair) => pair.join('='));
  const node = join(root, 'node_modules', '.bin', 'node');
  const credentials = `SERVICE_ACCOUNT_FOLDER=${join(layoutOf(cluster).data, APPROVER_CREDENTIALS)}`;
  const withFolder = (folder: string): string[] => ['sh', '-c', `mkdir -p ${folder}; exec "$@"`, '--'];
  return [
    { name: NETWORK, argv: [...withFolder('/run/headcut-network'), node, join(root, 'dist', 'network.mjs')] },
    { name: FENCE, argv: [...withFolder(FENCE_FOLDER), 'env', ...settings, node, join(root, 'dist', 'fence.mjs')] },
    { name: APPROVER, argv: ['env', ...settings, credentials, node, join(root, 'dist', 'approve.mjs')] },
    { name: AGENT, argv: [...withFolder('/run/headcut'), 'env', ...settings, node, join(root, 'dist', 'agent.mjs')] },
  ];
}

function nodeOf({ name }: ClusterTopology): KubeObject {
  const labels = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } } as KubeObject;
}
