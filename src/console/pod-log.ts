import type { Readable } from 'node:stream';
import { CodedError } from '../core/coded-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { PODS, resourcePath } from '../kube/resources.ts';
import { explain } from '../ops/cluster.ts';

export interface PodLogOptions {
  namespace: string;
  pod: string;
  container: string | undefined;
  /** Of the run before the last restart; that one has ended. */
  previous: boolean;
  signal: AbortSignal;
}

/** What a page begins with. */
const TAIL_LINES = 500;

/** The log of a pod, its last lines and then what comes; wherever it runs, the API server here gives it. */
export async function openPodLog(client: Pick<KubeClient, 'stream'>, options: PodLogOptions): Promise<Readable> {
  const { namespace, pod, container, previous, signal } = options;
  if (namespace === '' || pod === '') throw new CodedError('InvalidArgument', 'which pod? namespace and pod say so');
  const path = resourcePath(PODS, { namespace, name: pod, subresource: 'log' });
  const query = { container, previous, follow: !previous, tailLines: TAIL_LINES };
  try {
    return (await client.stream(path, { query, signal })).body;
  } catch (error) {
    throw explain(error);
  }
}
