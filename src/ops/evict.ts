import { CodedError } from '../core/coded-error.ts';
import { controllerOf, objectKey, type Pod } from '../core/kube-objects.ts';
import { isTerminal } from '../core/pod-phase.ts';
import { claimNamesOf } from '../core/volume/pod-claims.ts';
import type { KubeClient } from '../kube/client.ts';
import { evictPod } from '../kube/evict-pod.ts';
import type { Clock } from '../runtime/clock.ts';

export interface EvictOptions {
  /** Until all of them are gone; then the rest is reported. */
  timeoutMs: number;
  clock: Clock;
  signal: AbortSignal;
  /** Also pods that nothing makes anew. */
  force: boolean;
}

export type EvictProgress =
  | { type: 'evicted'; pod: string }
  /** A disruption budget says not now; it is asked again. */
  | { type: 'held-back'; pod: string; message: string }
  | { type: 'left'; pod: string; why: string }
  | { type: 'gone'; count: number };

const ASK_AGAIN_MS = 1_000;

/**
 * Evicts pods (disruption budgets are respected) and waits until they are gone. Can be interrupted and run again at any time.
 * @param list the pods that are to go, as they are now
 */
export async function* evictPods(
  client: Pick<KubeClient, 'create' | 'get'>,
  list: () => Promise<Pod[]>,
  options: EvictOptions,
): AsyncGenerator<EvictProgress> {
  const { clock, signal, timeoutMs } = options;
  const until = clock.monotonic() + timeoutMs;
  const told = new Set<string>();
  let evicted = 0;
  for (;;) {
    const all = (await list()).filter((pod) => !isTerminal(pod.status));
    const orphans = options.force ? [] : all.filter((pod) => !isControlled(pod));
    for (const pod of orphans)
      if (tell(told, `left ${objectKey(pod)}`))
        yield { type: 'left', pod: objectKey(pod), why: 'nothing would make it anew; --force evicts it too' };
    const withData = options.force ? [] : all.filter((pod) => isControlled(pod) && claimNamesOf(pod).length > 0);
    for (const pod of withData)
      if (tell(told, `left ${objectKey(pod)}`))
        yield {
          type: 'left',
          pod: objectKey(pod),
          why: 'its data is there, and it would wait for it; --force evicts it too',
        };
    const going = all.filter((pod) => !orphans.includes(pod) && !withData.includes(pod));
    if (going.length === 0) return yield { type: 'gone', count: evicted };
    for (const pod of going.filter((one) => one.metadata.deletionTimestamp === undefined)) {
      const held = await evictPod(client, pod);
      if (held === undefined) {
        evicted += 1;
        yield { type: 'evicted', pod: objectKey(pod) };
      } else if (tell(told, `held ${objectKey(pod)}`)) yield { type: 'held-back', pod: objectKey(pod), message: held };
    }
    if (clock.monotonic() >= until) {
      const names = going.map(objectKey).slice(0, 5).join(', ');
      throw new CodedError(
        'Unavailable',
        `${going.length} pods are still there after ${Math.round(timeoutMs / 1000)}s (${names}); run the same command again to go on`,
      );
    }
    await clock.sleep(ASK_AGAIN_MS, signal);
  }
}

function tell(told: Set<string>, what: string): boolean {
  if (told.has(what)) return false;
  told.add(what);
  return true;
}

function isControlled(pod: Pod): boolean {
  return controllerOf(pod) !== undefined;
}
