import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../../../core/coded-error.ts';
import type { Clock } from '../../../runtime/clock.ts';
import type { CommandOptions } from '../../../runtime/command.ts';
import { writeFileAtomically } from '../../lab-state.ts';
import type { ClusterProvider, ClusterStatus } from '../../provider.ts';
import type { ClusterTopology } from '../../topology.ts';
import { waitUntil } from '../../wait-until.ts';
import { openClusterApi } from '../kubernetes/cluster-api.ts';
import { findEngine, type KindPrograms, requireKind } from './container-engine.ts';
import { kindConfiguration, kindNameOf, kindNodeOf, renamedKubeconfig } from './kind-configuration.ts';

export interface KindProviderDeps extends KindPrograms {
  clock: Clock;
}

/** The first cluster waits for its node's image, some hundred megabytes. */
const CREATE_TIMEOUT_MS = 15 * 60_000;
const LOAD_TIMEOUT_MS = 5 * 60_000;
const READY_TIMEOUT_MS = 120_000;
const TAIL_LINES = 15;

/** What systemd runs in a node, and what runs there as pods. */
const UNITS = ['kubelet', 'containerd'];
const PODS = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'etcd', 'kube-proxy', 'coredns'];

/** Clusters of kind: a container each, on the engine's own network. */
export function createKindProvider(deps: KindProviderDeps): ClusterProvider {
  return new KindProvider(deps);
}

class KindProvider implements ClusterProvider {
  readonly name = 'kind';
  readonly usesLabNetwork = false;
  readonly runsContainers = true;
  readonly #deps: KindProviderDeps;
  #engine: Promise<string> | undefined;

  constructor(deps: KindProviderDeps) {
    this.#deps = deps;
  }

  async checkMachine(): Promise<void> {
    await requireKind(this.#deps);
    await this.#findEngine();
  }

  async create(cluster: ClusterTopology): Promise<void> {
    await this.checkMachine();
    const name = kindNameOf(cluster);
    const configuration = join(cluster.folder, 'kind.yaml');
    const written = join(cluster.folder, 'kind.kubeconfig');
    writeFileAtomically(configuration, kindConfiguration(cluster));
    const target = ['--name', name, '--kubeconfig', written];
    if ((await this.#clusterNames()).includes(name)) await this.#kind(['export', 'kubeconfig', ...target]);
    else
      await this.#kind(['create', 'cluster', '--config', configuration, ...target], { timeoutMs: CREATE_TIMEOUT_MS });
    writeFileAtomically(
      this.kubeconfig(cluster),
      renamedKubeconfig(readFileSync(written, 'utf8'), cluster.name),
      0o600,
    );
  }

  async start(cluster: ClusterTopology, signal?: AbortSignal): Promise<void> {
    const wasRunning = await this.#isRunning(cluster);
    const sinceMs = wasRunning ? 0 : this.#deps.clock.now();
    if (!wasRunning) await this.#onEngine(['start', kindNodeOf(cluster)]);
    const what = `the node of cluster ${cluster.name} ready`;
    const { clock } = this.#deps;
    await waitUntil(() => this.#isReady(cluster, sinceMs), { clock, signal, what, timeoutMs: READY_TIMEOUT_MS });
  }

  async stop(cluster: ClusterTopology): Promise<void> {
    if (await this.#isRunning(cluster)) await this.#onEngine(['stop', kindNodeOf(cluster)]);
  }

  async destroy(cluster: ClusterTopology): Promise<void> {
    const name = kindNameOf(cluster);
    if ((await this.#clusterNames()).includes(name)) await this.#kind(['delete', 'cluster', '--name', name]);
  }

  kubeconfig(cluster: ClusterTopology): string {
    return join(cluster.folder, 'kubeconfig');
  }

  async address(cluster: ClusterTopology): Promise<string> {
    const format = '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}';
    const text = await this.#onEngine(['inspect', '--format', format, kindNodeOf(cluster)]);
    return text.trim().split(' ')[0] ?? '';
  }

  nodeName(cluster: ClusterTopology): string {
    return kindNodeOf(cluster);
  }

  async startAgent(cluster: ClusterTopology): Promise<void> {
    throw new CodedError('Internal', `the agent of cluster ${cluster.name} is a pod`);
  }

  async loadImage(cluster: ClusterTopology, archive: string): Promise<void> {
    const target = ['--name', kindNameOf(cluster)];
    await this.#kind(['load', 'image-archive', archive, ...target], { timeoutMs: LOAD_TIMEOUT_MS });
  }

  async inNamespaces(cluster: ClusterTopology, argv: readonly string[]): Promise<string[]> {
    if (!(await this.#isRunning(cluster)))
      throw new CodedError('FailedPrecondition', `cluster ${cluster.name} does not run`);
    const environment = ['--env', 'KUBECONFIG=/etc/kubernetes/admin.conf', '--env', 'CONTAINERD_NAMESPACE=k8s.io'];
    return [await this.#findEngine(), 'exec', '--interactive', '--tty', ...environment, kindNodeOf(cluster), ...argv];
  }

  /** The engine's client needs ours. */
  shellEnvironment(): undefined {
    return undefined;
  }

  components(): string[] {
    return [...UNITS, ...PODS];
  }

  async logCommand(cluster: ClusterTopology, component: string, follow: boolean): Promise<string[]> {
    const inNode = [await this.#findEngine(), 'exec', kindNodeOf(cluster)];
    if (UNITS.includes(component))
      return [...inNode, 'journalctl', '--no-pager', ...(follow ? ['--follow'] : []), '--unit', component];
    const files = `/var/log/pods/kube-system_${component}-*/*/*.log`;
    return [...inNode, 'sh', '-c', `${follow ? 'tail -n 50 -F' : 'cat'} ${files}`];
  }

  storeFolder(cluster: ClusterTopology): string {
    throw new CodedError('Internal', `the store of cluster ${cluster.name} is in its container`);
  }

  async status(cluster: ClusterTopology): Promise<ClusterStatus> {
    if (!(await this.#isRunning(cluster)))
      return { components: this.components().map((name) => ({ name, running: false })), ready: false };
    const listing = await this.#onEngine(['exec', kindNodeOf(cluster), 'ps', '-eo', 'pid=,rss=,args=']);
    const processes = parseProcesses(listing);
    const components = this.components().map((name) => {
      const found = processes.find((process) => process.name === name);
      return found === undefined ? { name, running: false } : { ...found, running: true };
    });
    return { components, ready: await this.#isReady(cluster, 0).catch(() => false) };
  }

  async #isReady(cluster: ClusterTopology, sinceMs: number): Promise<boolean> {
    if (!existsSync(this.kubeconfig(cluster))) return false;
    const api = await openClusterApi(this.kubeconfig(cluster));
    try {
      return await api.isNodeReady(kindNodeOf(cluster), sinceMs);
    } finally {
      await api.close();
    }
  }

  async #isRunning(cluster: ClusterTopology): Promise<boolean> {
    const argv = [await this.#findEngine(), 'inspect', '--format', '{{.State.Running}}', kindNodeOf(cluster)];
    const { exitCode, stdout } = await this.#deps.run(argv);
    return exitCode === 0 && stdout.trim() === 'true';
  }

  async #clusterNames(): Promise<string[]> {
    return (await this.#kind(['get', 'clusters'])).split('\n').filter((line) => line !== '');
  }

  /** kind itself does not look whether the engine answers, and its own message of that is a page long. */
  async #kind(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const engine = await this.#findEngine();
    return this.#run(['env', `KIND_EXPERIMENTAL_PROVIDER=${engine}`, this.#deps.kind, ...args], options);
  }

  async #onEngine(args: readonly string[]): Promise<string> {
    return this.#run([await this.#findEngine(), ...args]);
  }

  async #run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#deps.run(argv, options);
    if (exitCode === 0) return stdout;
    const tail = `${stdout}\n${stderr}`.trim().split('\n').slice(-TAIL_LINES).join('\n');
    throw new CodedError('Internal', `${argv.join(' ')} failed (exit code ${exitCode}): ${tail}`);
  }

  #findEngine(): Promise<string> {
    this.#engine ??= findEngine(this.#deps);
    return this.#engine;
  }
}

/** Lines of `ps -eo pid=,rss=,args=` as processes, called after their programs. */
function parseProcesses(listing: string): { name: string; pid: number; residentBytes: number }[] {
  return [...listing.matchAll(/^ *(\d+) +(\d+) +(\S+)/gm)].map(([, pid, kilobytes, program = '']) => ({
    name: program.slice(program.lastIndexOf('/') + 1),
    pid: Number(pid),
    residentBytes: Number(kilobytes) * 1024,
  }));
}
