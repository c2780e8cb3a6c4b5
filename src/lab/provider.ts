import type { ClusterTopology } from './topology.ts';

/** What one component of a cluster is doing. */
export interface ComponentStatus {
  name: string;
  running: boolean;
  pid?: number;
  residentBytes?: number;
}

export interface ClusterStatus {
  components: ComponentStatus[];
  /** The node reports Ready. */
  ready: boolean;
}

/**
 * A way to have clusters on this machine. Every method is idempotent and works on what a killed run left.
 * The lab network and the cluster's network namespace are there before `create`.
 */
export interface ClusterProvider {
  readonly name: string;
  /** Writes what a cluster needs before its first start; keeps what is there. */
  create(cluster: ClusterTopology): Promise<void>;
  /** Starts what does not run, and returns when the node is Ready. */
  start(cluster: ClusterTopology, signal?: AbortSignal): Promise<void>;
  /** Ends every process of the cluster, containers included; its data stays. */
  stop(cluster: ClusterTopology): Promise<void>;
  /** Stops, and removes what is outside the cluster's folder. */
  destroy(cluster: ClusterTopology): Promise<void>;
  /** Path of an administrator's kubeconfig. */
  kubeconfig(cluster: ClusterTopology): string;
  /** Imports a docker or OCI archive into the cluster's container runtime. */
  loadImage(cluster: ClusterTopology, archive: string): Promise<void>;
  /** A command line that runs `argv` in the cluster's namespaces. */
  inNamespaces(cluster: ClusterTopology, argv: readonly string[]): Promise<string[]>;
  /** Environment for a shell in there. */
  shellEnvironment(cluster: ClusterTopology): Record<string, string>;
  components(cluster: ClusterTopology): string[];
  logFile(cluster: ClusterTopology, component: string): string;
  status(cluster: ClusterTopology): Promise<ClusterStatus>;
}
