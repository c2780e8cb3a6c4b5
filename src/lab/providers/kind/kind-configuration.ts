import { parse } from 'yaml';
import { CodedError } from '../../../core/coded-error.ts';
import { kubeYaml } from '../../../runtime/kube-yaml.ts';
import type { ClusterTopology } from '../../topology.ts';

/** Names on the machine are those of the lab and the cluster, as with all that a lab makes: `headcut-lab-a`. */
export const kindNameOf = (cluster: Pick<ClusterTopology, 'networkNamespace'>): string => cluster.networkNamespace;

/** The container that is the cluster's node, and the node's name in the cluster; kind wants the two to be the same. */
export const kindNodeOf = (cluster: Pick<ClusterTopology, 'networkNamespace'>): string =>
  `${kindNameOf(cluster)}-control-plane`;

/** kind's configuration of one cluster: one node that is control plane and worker at once, all else as kind has it. */
export function kindConfiguration(cluster: ClusterTopology): string {
  return kubeYaml({
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    name: kindNameOf(cluster),
    nodes: [{ role: 'control-plane' }],
  });
}

interface Named {
  name: string;
}
interface Kubeconfig {
  clusters: Named[];
  users: Named[];
  contexts: (Named & { context: { cluster: string; user: string } })[];
}

/** The kubeconfig that kind wrote, with the lab's name of the cluster instead of `kind-headcut-lab-a`. */
export function renamedKubeconfig(text: string, name: string): string {
  const config = parse(text) as Partial<Kubeconfig>;
  const [cluster, user, context] = [config.clusters?.[0], config.users?.[0], config.contexts?.[0]];
  if (cluster === undefined || user === undefined || context === undefined)
    throw new CodedError('Internal', `kind wrote a kubeconfig for cluster ${name} that has no context`);
  return kubeYaml({
    ...config,
    'current-context': name,
    clusters: [{ ...cluster, name }],
    users: [{ ...user, name }],
    contexts: [{ ...context, name, context: { ...context.context, cluster: name, user: name } }],
  });
}
