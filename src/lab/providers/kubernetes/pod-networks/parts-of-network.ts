import type { ClusterTopology } from '../../../topology.ts';
import type { CertificateSubject } from '../certificate-authority.ts';
import type { Component } from '../component.ts';
import type { LabObject } from '../lab-object.ts';

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
