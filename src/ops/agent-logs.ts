import type { Readable } from 'node:stream';
import { CodedError } from '../core/coded-error.ts';
import type { Pod } from '../core/kube-objects.ts';
import { AGENT_NAMESPACE } from '../core/membership/join-secrets.ts';
import type { KubeClient } from '../kube/client.ts';
import { PODS, resourcePath } from '../kube/resources.ts';
import { explain } from './cluster.ts';

const AGENT_SELECTOR = 'app.kubernetes.io/name=headcut';
/** In the agent's pod. */
const AGENT_CONTAINER = 'headcut';

/** The agent's pods, the newest first. */
export async function agentPods(client: Pick<KubeClient, 'list'>, signal?: AbortSignal): Promise<Pod[]> {
  const { items } = await client.list<Pod>(PODS, {
    namespace: AGENT_NAMESPACE,
    query: { labelSelector: AGENT_SELECTOR },
    ...(signal === undefined ? {} : { signal }),
  });
  const isAgent = (pod: Pod): boolean => pod.spec.containers.some((one) => one.name === AGENT_CONTAINER);
  return items
    .filter(isAgent)
    .sort((a, b) => (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? ''));
}

export interface LogOptions {
  follow: boolean;
  previous: boolean;
  tailLines?: number | undefined;
  signal: AbortSignal;
}

/** The log of this cluster's agent: JSON lines. */
export async function openAgentLog(client: KubeClient, options: LogOptions): Promise<Readable> {
  try {
    const [pod] = await agentPods(client);
    if (pod === undefined)
      throw new CodedError(
        'FailedPrecondition',
        'no agent runs in this cluster; look at kubectl -n headcut-system get all',
      );
    const { follow, previous, tailLines } = options;
    const path = resourcePath(PODS, { namespace: AGENT_NAMESPACE, name: pod.metadata.name, subresource: 'log' });
    const query = { container: AGENT_CONTAINER, follow, previous, tailLines };
    return (await client.stream(path, { query, signal: options.signal })).body;
  } catch (error) {
    throw explain(error);
  }
}

/** The agent's own HTTP port (/readyz, /metrics), through the API server. */
export async function readAgentPage(client: KubeClient, pod: Pod, page: string, signal?: AbortSignal): Promise<string> {
  const path = `${resourcePath(PODS, { namespace: AGENT_NAMESPACE, name: `${pod.metadata.name}:7444` })}/proxy/${page}`;
  const { body } = await client.stream(path, { signal });
  let text = '';
  for await (const chunk of body) text += String(chunk);
  return text;
}
