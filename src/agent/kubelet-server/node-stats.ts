import type { Node, Pod } from '../../core/kube-objects.ts';
import { addUsage, NO_USAGE, nodeStatsOf } from '../../core/pod-stats/node-usage.ts';
import { toResourceMetrics } from '../../core/pod-stats/resource-metrics.ts';
import type { PodStats, Summary } from '../../core/pod-stats/summary.ts';
import { takenStats } from '../../core/pod-stats/taken-stats.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { PeerLink } from '../ports.ts';

export interface NodeStatsDeps {
  node: string;
  nodes: Pick<Store<Node>, 'get'>;
  pods: Pick<Store<Pod>, 'list'>;
  clock: Clock;
}

/** What the pods of one virtual node use, under their names at home. Asked of the peer only when somebody asks here. */
export class VirtualNodeStats {
  readonly #deps: NodeStatsDeps;
  #usage = NO_USAGE;

  constructor(deps: NodeStatsDeps) {
    this.#deps = deps;
  }

  /** As `/stats/summary` of a kubelet. */
  async summary(link: PeerLink, options: { onlyCpuAndMemory: boolean }): Promise<Summary> {
    const { node, nodes, pods, clock } = this.#deps;
    const asked = { query: { only_cpu_and_memory: options.onlyCpuAndMemory } };
    const remote = new Map((await link.call('stats', asked)).pods.map(({ uid, stats }) => [uid, stats]));
    const bound = pods.list().filter((pod) => pod.spec.nodeName === node);
    const shown = bound.flatMap((pod): PodStats[] => {
      const told = remote.get(pod.metadata.uid ?? '');
      return told === undefined ? [] : [takenStats(told, pod)];
    });
    this.#usage = addUsage(this.#usage, shown, new Set(bound.map(({ metadata }) => metadata.uid ?? '')));
    const startTime = nodes.get(node)?.metadata.creationTimestamp;
    const at = new Date(clock.now()).toISOString();
    return { node: nodeStatsOf({ name: node, startTime, at }, this.#usage, shown), pods: shown };
  }

  /** As `/metrics/resource` of a kubelet. */
  async resourceMetrics(link: PeerLink): Promise<string> {
    return toResourceMetrics(await this.summary(link, { onlyCpuAndMemory: true }));
  }
}
