import { Agent } from 'undici';
import { CodedError, errorCodeOfHttpStatus, messageOf } from '../../core/coded-error.ts';
import type { Node, Pod } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, ORIGIN_NAMESPACE_LABEL, ORIGIN_UID_LABEL } from '../../core/labels.ts';
import { onlyCpuAndMemory, type RemotePodStats, type Summary, statsOfPods } from '../../core/pod-stats/summary.ts';
import { isTwinName } from '../../core/shadow-pod/twin-namespace.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Store } from '../../kube/store.ts';
import { createCachedCall } from '../../runtime/cached-call.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { PodStatsSource } from '../ports.ts';

export interface KubeletStatsDeps {
  client: Pick<KubeClient, 'connection' | 'authorization'>;
  pods: Store<Pod>;
  nodes: Store<Node>;
  /** The node that the agent runs on, and its address. */
  own: { node: string; address: string };
  clock: Clock;
}

/** Kubelets measure every ten seconds or so; asking more often tells nothing new. */
const KEEP_MS = 3_000;
const ANSWER_WITHIN_MS = 5_000;
/** About 5 KB a pod in the full summary, and at most some hundreds of pods a node. */
const MAX_SUMMARY_BYTES = 8 * 1024 * 1024;
const KUBELET_PORT = 10_250;

/**
 * What the real pods of a peer use, from the kubelet of this node. Asked directly, and only when somebody asks: a kubelet
 * lets the agent read `nodes/stats` and nothing else, which the API server's proxy cannot (it takes `nodes/proxy`). The kubelet sees the
 * agent's token, so that it is asked at this node's own address, and other nodes of the cluster are not asked.
 */
export function createKubeletStats(deps: KubeletStatsDeps): PodStatsSource {
  const { connection } = deps.client;
  let trusted = connection.ca;
  let dispatcher = dispatcherFor(trusted);
  const present = (): Agent => {
    if (connection.ca === trusted) return dispatcher;
    dispatcher.close().catch(() => {});
    trusted = connection.ca;
    dispatcher = dispatcherFor(trusted);
    return dispatcher;
  };
  const summaryOf = createCachedCall(() => readSummary(deps, present()), {
    ttlMs: KEEP_MS,
    clock: deps.clock,
  });
  return {
    statsFor: async (peerId, options) => {
      const pods = deps.pods.list().filter((pod) => isOf(pod, peerId));
      const isHere = pods.some(({ spec }) => spec.nodeName === deps.own.node);
      const summaries = isHere ? [await summaryOf(deps.own.node)] : [];
      const uids = new Map(pods.map(({ metadata }) => [metadata.uid ?? '', metadata.labels?.[ORIGIN_UID_LABEL] ?? '']));
      const stats = statsOfPods(summaries, uids);
      return options.onlyCpuAndMemory ? stats.map(reduced) : stats;
    },
  };
}

function reduced({ uid, stats }: RemotePodStats): RemotePodStats {
  return { uid, stats: onlyCpuAndMemory(stats) };
}

/** A label alone proves nothing: anybody may put it on a pod of their own. Twin namespaces are the agent's. */
function isOf(pod: Pod, peerId: string): boolean {
  const { labels = {}, namespace } = pod.metadata;
  if (labels[ORIGIN_CLUSTER_LABEL] !== peerId || labels[ORIGIN_UID_LABEL] === undefined) return false;
  return isTwinName(namespace, { cluster: peerId, namespace: labels[ORIGIN_NAMESPACE_LABEL] ?? '' });
}

function dispatcherFor(ca: string | undefined): Agent {
  return new Agent({
    connect: { ...(ca === undefined ? {} : { ca }), timeout: ANSWER_WITHIN_MS },
    headersTimeout: ANSWER_WITHIN_MS,
    bodyTimeout: ANSWER_WITHIN_MS,
    maxResponseSize: MAX_SUMMARY_BYTES,
    connections: 2,
  });
}

async function readSummary(deps: KubeletStatsDeps, dispatcher: Agent): Promise<Summary> {
  const { node: name, address: host } = deps.own;
  const { daemonEndpoints } = deps.nodes.get(name)?.status ?? {};
  const port = daemonEndpoints?.kubeletEndpoint?.Port ?? KUBELET_PORT;
  const authorization = await deps.client.authorization();
  try {
    const { statusCode, body } = await dispatcher.request({
      origin: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      path: '/stats/summary',
      method: 'GET',
      headers: authorization === undefined ? {} : { authorization },
    });
    const text = await body.text();
    if (statusCode === 200) return JSON.parse(text) as Summary;
    throw new CodedError(
      errorCodeOfHttpStatus(statusCode),
      `the kubelet of ${name} gives no statistics (${statusCode}): ${text.slice(0, 200)}`,
    );
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw new CodedError('Unavailable', `the kubelet of ${name} gives no statistics: ${messageOf(error)}`);
  }
}
