import type { Cni } from '../../pod-network.ts';
import type { ClusterTopology } from '../../topology.ts';
import type { CertificateSubject } from '../kubernetes/certificate-authority.ts';
import type { LabObject } from '../kubernetes/cluster-api.ts';
import type { Component } from '../kubernetes/component.ts';
import { BRIDGE } from './bridge.ts';
import { FLANNEL } from './flannel.ts';
import { KUBE_ROUTER } from './kube-router.ts';

/**
 * What connects a cluster's pods, beside the CNI plugins of the machine. Where other people have pods of a DaemonSet, these are
 * processes on the node, because no image of them can be pulled; their configuration is that of the projects' own manifests.
 */
export interface PodNetworkParts {
  /** Path below `etc` → text. */
  files: Readonly<Record<string, string>>;
  /** Path below the cluster's folder → text of files that are written once, since components change them too. */
  onceFiles: Readonly<Record<string, string>>;
  components(cluster: ClusterTopology): Component[];
  /** What its components need in the API. */
  objects: readonly LabObject[];
  /** Who talks to the API server, under the names of the components. */
  users: Readonly<Record<string, Omit<CertificateSubject, 'usage'>>>;
  /** Folders of the machine that its components write to, and where in the cluster's `data` they really are. */
  privateFolders: Readonly<Record<string, string>>;
  /** It has a CNI plugin of its own, among the tools. */
  hasPlugin: boolean;
}

const PARTS: Record<Cni, PodNetworkParts> = { bridge: BRIDGE, flannel: FLANNEL, 'kube-router': KUBE_ROUTER };

export function podNetworkPartsOf({ podNetwork }: ClusterTopology): PodNetworkParts {
  return PARTS[podNetwork.cni];
}
