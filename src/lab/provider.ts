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

/** Tokens of the ServiceAccounts of headcut. */
export interface AgentTokens {
  agent: string;
  approver: string;
}

/** A way to have clusters on this machine. Every method is idempotent and works on what a killed run left. */
export interface ClusterProvider {
  readonly name: string;
  /**
   * Whether its clusters are on the lab's network; that and the cluster's network namespace are then there before `create`.
   * Faults and routers are made there.
   */
  readonly usesLabNetwork: boolean;
  /** Whether containers run in its clusters; where none do, the agent is a process (startAgent) and images are not needed. */
  readonly runsContainers: boolean;
  /** Throws where this machine lacks what such clusters need, with what to do. */
  checkMachine(): Promise<void>;
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
  /** Where its node is reached by the other clusters. */
  address(cluster: ClusterTopology): Promise<string>;
  /** What the cluster calls its node. */
  nodeName(cluster: ClusterTopology): string;
  /** Runs the agent of the checkout, with what belongs to it, beside the cluster, anew if it runs. */
  startAgent(cluster: ClusterTopology, tokens: AgentTokens): Promise<void>;
  /** Imports a docker or OCI archive into the cluster's container runtime. */
  loadImage(cluster: ClusterTopology, archive: string): Promise<void>;
  /** A command line that runs `argv` in the cluster's namespaces. */
  inNamespaces(cluster: ClusterTopology, argv: readonly string[]): Promise<string[]>;
  /** Environment for the command line of a shell in there; undefined for our own. */
  shellEnvironment(cluster: ClusterTopology): Record<string, string> | undefined;
  components(cluster: ClusterTopology): string[];
  /** A command line that prints a component's log, and with `follow` goes on. */
  logCommand(cluster: ClusterTopology, component: string, follow: boolean): Promise<string[]>;
  /** What its API server stores, on a disk of its own; for clusters on the lab's network. */
  storeFolder(cluster: ClusterTopology): string;
  status(cluster: ClusterTopology): Promise<ClusterStatus>;
}
