import { messageOf } from '../core/coded-error.ts';
import { evictionOf, type Pod } from '../core/kube-objects.ts';
import { ApiError, isNotFound } from './api-error.ts';
import type { KubeClient } from './client.ts';
import { PODS } from './resources.ts';

/** Asks for the eviction of one pod, so that disruption budgets are respected. @returns why not now; undefined when it is on its way out */
export async function evictPod(client: Pick<KubeClient, 'create'>, pod: Pod): Promise<string | undefined> {
  try {
    await client.create(PODS, evictionOf(pod), { subresource: 'eviction', name: pod.metadata.name });
    return undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    // 429: a budget; 409: it is another pod by now, or changes at this moment.
    if (error instanceof ApiError && (error.status === 429 || error.status === 409)) return messageOf(error);
    throw error;
  }
}
