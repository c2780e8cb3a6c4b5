import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { CodedError } from '../core/coded-error.ts';
import { DEFAULT_POD_NETWORK, type PodNetwork } from './pod-network.ts';

/** What a lab consists of, as data: everything that has a name on the machine is named after the lab. */
export interface LabTopology {
  name: string;
  /** State folder, absolute. */
  folder: string;
  /** Network namespace that holds the bridge to which every cluster is linked. */
  networkNamespace: string;
  /** Bridge in that namespace. */
  bridge: string;
  /** The link's end in the machine's own namespace, over which kubectl reaches the clusters. */
  hostLink: string;
  hostAddress: string;
  /** The bridge's own address: the clusters' default route. It forwards nothing. */
  bridgeAddress: string;
  prefixLength: number;
  /** Below each cgroup mount. */
  cgroup: string;
  clusters: ClusterTopology[];
}

export interface ClusterTopology {
  /** Context, node and host name: `a`, `b`, … */
  name: string;
  address: string;
  networkNamespace: string;
  /** The cluster's port on the lab's bridge; cut, delay or filter it there. Its other end is `eth0` in the cluster. */
  bridgePort: string;
  cgroup: string;
  folder: string;
  /** The router that it is behind, with outbound connections only; undefined for a cluster right on the bridge. */
  nat: NatTopology | undefined;
  podNetwork: PodNetwork;
}

/** A router between the lab's bridge and one cluster: lets the cluster out under an address of its own, and nobody in. */
export interface NatTopology {
  networkNamespace: string;
  /** On the lab's bridge. */
  outerAddress: string;
  /** The cluster's default route. */
  innerAddress: string;
  /** `172.24.7.24/29`; only the machine itself has a route there, for kubectl. */
  innerNetwork: string;
  innerPrefixLength: number;
}

/** As many as a small machine has room for when their nodes are simulated. */
export const MAX_CLUSTERS = 16;
/** Addresses in the /24: 1 the machine, 2 the bridge, from 11 on the clusters. */
const FIRST_CLUSTER_OCTET = 11;
const LAB_NAME = /^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/;

export interface TopologyInput extends Partial<PodNetwork> {
  name: string;
  folder: string;
  /** `10.200.7` */
  subnet: string;
  clusterCount: number;
  /** Names of the clusters behind a router. */
  nat?: readonly string[];
}

/** Everything about a lab that its name, its subnet and the number of its clusters decide. */
export function createTopology(input: TopologyInput): LabTopology {
  const { name, folder, subnet, clusterCount, nat = [] } = input;
  const { cni = DEFAULT_POD_NETWORK.cni, kubeProxy = DEFAULT_POD_NETWORK.kubeProxy } = input;
  checkLabName(name);
  if (!Number.isInteger(clusterCount) || clusterCount < 1 || clusterCount > MAX_CLUSTERS)
    throw new CodedError('InvalidArgument', `a lab has 1 to ${MAX_CLUSTERS} clusters, not ${clusterCount}`);
  const cgroup = `headcut-${name}`;
  return {
    name,
    folder,
    networkNamespace: `headcut-${name}-net`,
    bridge: 'lan',
    hostLink: hostLinkOf(name),
    hostAddress: `${subnet}.1`,
    bridgeAddress: `${subnet}.2`,
    prefixLength: 24,
    cgroup,
    clusters: Array.from({ length: clusterCount }, (_, index) => {
      const cluster = clusterNameOf(index);
      const address = `${subnet}.${FIRST_CLUSTER_OCTET + index}`;
      const router = nat.includes(cluster) ? natOf(subnet, index, `headcut-${name}-${cluster}-nat`) : undefined;
      return {
        name: cluster,
        address: router === undefined ? address : router.clusterAddress,
        nat: router?.nat,
        podNetwork: { cni, kubeProxy },
        networkNamespace: `headcut-${name}-${cluster}`,
        bridgePort: `to-${cluster}`,
        cgroup: `${cgroup}/${cluster}`,
        folder: join(folder, 'clusters', cluster),
      };
    }),
  };
}

/** The network behind a router: private (RFC 1918), out of the range of the pod network; told apart by the lab's subnet and the cluster. */
function natOf(subnet: string, index: number, networkNamespace: string): { nat: NatTopology; clusterAddress: string } {
  const [, second = 0, third = 0] = subnet.split('.').map(Number);
  const network = `172.${24 + (second % 8)}.${third}`;
  const first = 8 * index;
  return {
    nat: {
      networkNamespace,
      outerAddress: `${subnet}.${FIRST_CLUSTER_OCTET + index}`,
      innerAddress: `${network}.${first + 1}`,
      innerNetwork: `${network}.${first}/29`,
      innerPrefixLength: 29,
    },
    clusterAddress: `${network}.${first + 2}`,
  };
}

/** The network namespace of the router that a cluster may be behind. */
export function natNamespaceOf(lab: LabTopology, cluster: ClusterTopology): string {
  return `headcut-${lab.name}-${cluster.name}-nat`;
}

/** Throws when `name` cannot be a lab's name. */
export function checkLabName(name: string): void {
  if (LAB_NAME.test(name)) return;
  throw new CodedError('InvalidArgument', `"${name}" is no lab name: 1 to 20 of a-z, 0-9 and, inside, "-"`);
}

/** The state folder below the checkout. */
export function labFolderOf(root: string, name: string): string {
  return join(root, name === 'lab' ? '.lab' : `.lab-${name}`);
}

/** The cluster that a user names. */
export function findCluster(topology: LabTopology, name: string): ClusterTopology {
  const found = topology.clusters.find((cluster) => cluster.name === name);
  if (found !== undefined) return found;
  const known = topology.clusters.map((cluster) => cluster.name).join(', ');
  throw new CodedError('NotFound', `no cluster "${name}" in lab "${topology.name}"; it has: ${known}`);
}

function clusterNameOf(index: number): string {
  return String.fromCharCode('a'.charCodeAt(0) + index);
}

/** Interface names have at most 15 characters, so a hash stands for a long lab name. */
function hostLinkOf(name: string): string {
  if (name.length <= 11) return `hcl-${name}`;
  return `hcl-${createHash('sha256').update(name).digest('hex').slice(0, 10)}`;
}
