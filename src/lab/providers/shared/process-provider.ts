import { existsSync, rmSync } from 'node:fs';
import { CodedError } from '../../../core/coded-error.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { execute } from '../../../runtime/command.ts';
import { type CgroupMounts, createCgroup, killCgroup, removeCgroup } from '../../cgroups.ts';
import { makeMountPoints } from '../../mount-points.ts';
import { residentBytesOf } from '../../process-identity.ts';
import type { AgentTokens, ClusterProvider, ClusterStatus } from '../../provider.ts';
import { mountStore, unmountStores } from '../../store-disk.ts';
import type { ClusterTopology } from '../../topology.ts';
import { waitUntil } from '../../wait-until.ts';
import { openClusterApi } from '../kubernetes/cluster-api.ts';
import {
  checkAlive,
  liveProcess,
  logFileOf,
  logTail,
  startComponents,
  startHolder,
  terminateComponents,
} from '../kubernetes/cluster-processes.ts';
import type { Component } from '../kubernetes/component.ts';
import type { LabObject } from '../kubernetes/lab-object.ts';
import { HOLDER, type LauncherSettings } from '../kubernetes/launchers.ts';
import { layoutOf } from '../kubernetes/layout.ts';

const API_TIMEOUT_MS = 90_000;
const NODE_TIMEOUT_MS = 120_000;
const IMPORT_TIMEOUT_MS = 120_000;

export interface ProcessProviderDeps {
  clock: Clock;
  mounts: CgroupMounts;
  /** Folder with the compiled Kubernetes components. */
  toolsFolder: string;
}

/** What one kind of cluster consists of, when its parts are processes of this machine. */
export interface ClusterRecipe {
  name: string;
  /** Folders of the machine that a cluster has for itself beside its own /run, and where in its `data` they really are. */
  privateFolders(cluster: ClusterTopology): Readonly<Record<string, string>>;
  /** Throws where this machine lacks what such clusters need. */
  checkMachine?(): void;
  /** Makes the keys and writes the configuration files and launchers; keeps what is there and right. */
  write(cluster: ClusterTopology, launchers: LauncherSettings): Promise<void>;
  /** What runs first; the API server answers when these do. */
  foundation(cluster: ClusterTopology): Component[];
  /** What runs once the API server has its RBAC rules. */
  clients(cluster: ClusterTopology): Component[];
  /** What is there before the clients start. */
  objects(cluster: ClusterTopology): LabObject[];
  /** The components whose logs tell why the API server, or the node, is not ready. */
  apiServer: string;
  kubelet: string;
  /** Undefined where no containers run. */
  containerdSocket: string | undefined;
  /** The folder of what the API server stores. */
  store(cluster: ClusterTopology): string;
  /** The agent as processes, where no containers run. */
  agent?: {
    components(cluster: ClusterTopology): Component[];
    giveCredentials(cluster: ClusterTopology, tokens: AgentTokens): void;
  };
}

/** Clusters whose parts run as processes of this machine, in namespaces and a cgroup of their own. */
export function createProcessProvider(recipe: ClusterRecipe, deps: ProcessProviderDeps): ClusterProvider {
  return new ProcessProvider(recipe, deps);
}

/** What to wait for, and what has to run for it. */
interface ComponentWait {
  what: string;
  /** The component whose log tells why it does not come. */
  logOf: string;
  timeoutMs: number;
  needs: readonly Component[];
  signal: AbortSignal | undefined;
}

class ProcessProvider implements ClusterProvider {
  readonly name: string;
  readonly usesLabNetwork = true;
  readonly runsContainers: boolean;
  readonly #recipe: ClusterRecipe;
  readonly #clock: Clock;
  readonly #launchers: LauncherSettings;

  constructor(recipe: ClusterRecipe, { clock, mounts, toolsFolder }: ProcessProviderDeps) {
    this.name = recipe.name;
    this.runsContainers = recipe.agent === undefined;
    this.#recipe = recipe;
    this.#clock = clock;
    this.#launchers = { mounts, path: `${toolsFolder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` };
  }

  async checkMachine(): Promise<void> {
    this.#recipe.checkMachine?.();
  }

  async create(cluster: ClusterTopology): Promise<void> {
    createCgroup(this.#launchers.mounts, cluster.cgroup);
    makeMountPoints(Object.keys(this.#recipe.privateFolders(cluster)));
    await mountStore(this.#recipe.store(cluster));
    await this.#recipe.write(cluster, this.#launchers);
  }

  async start(cluster: ClusterTopology, signal?: AbortSignal): Promise<void> {
    if (liveProcess(cluster, HOLDER) === undefined) {
      await this.#endEverything(cluster);
      // A machine that starts has no cgroups of dead containers; a kubelet would look at each of them for seconds.
      await removeCgroup(this.#launchers.mounts, cluster.cgroup, this.#clock);
      createCgroup(this.#launchers.mounts, cluster.cgroup);
      await startHolder(cluster, this.#clock);
    }
    const api = await openClusterApi(layoutOf(cluster).adminKubeconfig);
    try {
      const { foundation, clients, apiServer, kubelet } = this.#recipe;
      const now = this.#clock.now();
      const first = foundation(cluster);
      const started = await startComponents(cluster, first);
      const untilReady = { what: 'the API server', logOf: apiServer, timeoutMs: API_TIMEOUT_MS, needs: first, signal };
      await this.#waitFor(cluster, () => api.isReady(), untilReady);
      // First, because metrics-server ends at once where it has no rights.
      await api.apply(this.#recipe.objects(cluster));
      started.push(...(await startComponents(cluster, clients(cluster))));
      // A simulated node that was Ready says so again after minutes only.
      const sinceMs = this.runsContainers && started.includes(kubelet) ? now : 0;
      const needs = this.#components(cluster);
      const untilNode = { what: 'the node', logOf: kubelet, timeoutMs: NODE_TIMEOUT_MS, needs, signal };
      await this.#waitFor(cluster, () => api.isNodeReady(cluster.name, sinceMs), untilNode);
    } finally {
      await api.close();
    }
  }

  async stop(cluster: ClusterTopology): Promise<void> {
    await terminateComponents(cluster, this.#components(cluster), this.#clock);
    await this.#endEverything(cluster);
  }

  async destroy(cluster: ClusterTopology): Promise<void> {
    await this.#endEverything(cluster);
    await removeCgroup(this.#launchers.mounts, cluster.cgroup, this.#clock);
    await unmountStores(this.#recipe.store(cluster));
  }

  storeFolder(cluster: ClusterTopology): string {
    return this.#recipe.store(cluster);
  }

  kubeconfig(cluster: ClusterTopology): string {
    return layoutOf(cluster).adminKubeconfig;
  }

  async address(cluster: ClusterTopology): Promise<string> {
    return cluster.address;
  }

  nodeName(cluster: ClusterTopology): string {
    return cluster.name;
  }

  async startAgent(cluster: ClusterTopology, tokens: AgentTokens): Promise<void> {
    const { agent } = this.#recipe;
    if (agent === undefined) throw new CodedError('Internal', `the agent of cluster ${cluster.name} is a pod`);
    agent.giveCredentials(cluster, tokens);
    // One that runs may be of an older build.
    await terminateComponents(cluster, agent.components(cluster), this.#clock);
    await startComponents(cluster, agent.components(cluster));
  }

  async loadImage(cluster: ClusterTopology, archive: string): Promise<void> {
    const { containerdSocket } = this.#recipe;
    if (containerdSocket === undefined) return;
    const ctr = ['ctr', '--address', containerdSocket, '--namespace', 'k8s.io'];
    const argv = await this.inNamespaces(cluster, [...ctr, 'images', 'import', '--local', archive]);
    await execute(argv, { timeoutMs: IMPORT_TIMEOUT_MS });
  }

  async inNamespaces(cluster: ClusterTopology, argv: readonly string[]): Promise<string[]> {
    const holder = liveProcess(cluster, HOLDER);
    if (holder === undefined) throw new CodedError('FailedPrecondition', `cluster ${cluster.name} does not run`);
    const enter = ['nsenter', '--target', String(holder.pid), '--net', '--mount', '--uts', '--'];
    return [...enter, 'env', `PATH=${this.#launchers.path}`, ...argv];
  }

  shellEnvironment(cluster: ClusterTopology): Record<string, string> {
    return {
      PATH: this.#launchers.path,
      HOME: '/root',
      KUBECONFIG: layoutOf(cluster).adminKubeconfig,
      CONTAINERD_ADDRESS: this.#recipe.containerdSocket ?? '',
      CONTAINERD_NAMESPACE: 'k8s.io',
      PS1: `${cluster.name}# `,
    };
  }

  components(cluster: ClusterTopology): string[] {
    return this.#components(cluster).map(({ name }) => name);
  }

  async logCommand(cluster: ClusterTopology, component: string, follow: boolean): Promise<string[]> {
    const file = logFileOf(cluster, component);
    if (!existsSync(file)) throw new CodedError('NotFound', `${component} has not been started: there is no ${file}`);
    return follow ? ['tail', '-n', '50', '-F', file] : ['cat', file];
  }

  async status(cluster: ClusterTopology): Promise<ClusterStatus> {
    const components = this.components(cluster).map((name) => {
      const live = liveProcess(cluster, name);
      if (live === undefined) return { name, running: false };
      return { name, running: true, pid: live.pid, residentBytes: residentBytesOf(live.pid) ?? 0 };
    });
    return { components, ready: await this.#isReady(cluster) };
  }

  #components(cluster: ClusterTopology): Component[] {
    return [...this.#recipe.foundation(cluster), ...this.#recipe.clients(cluster)];
  }

  async #isReady(cluster: ClusterTopology): Promise<boolean> {
    if (liveProcess(cluster, this.#recipe.apiServer) === undefined) return false;
    const api = await openClusterApi(layoutOf(cluster).adminKubeconfig);
    try {
      return await api.isNodeReady(cluster.name, 0);
    } catch {
      return false;
    } finally {
      await api.close();
    }
  }

  async #waitFor(cluster: ClusterTopology, condition: () => Promise<boolean>, wait: ComponentWait): Promise<void> {
    const { what, logOf, needs, ...limits } = wait;
    const giveUp = (): void => checkAlive(cluster, needs);
    const options = { ...limits, clock: this.#clock, what: `${what} of cluster ${cluster.name} ready`, giveUp };
    try {
      await waitUntil(condition, options);
    } catch (error) {
      if (error instanceof CodedError && error.message.includes('has ended')) throw error;
      throw new CodedError('Unavailable', `cluster ${cluster.name}${logTail(cluster, logOf)}`, error);
    }
  }

  async #endEverything(cluster: ClusterTopology): Promise<void> {
    await killCgroup(this.#launchers.mounts, cluster.cgroup, this.#clock);
    rmSync(layoutOf(cluster).run, { recursive: true, force: true });
  }
}
