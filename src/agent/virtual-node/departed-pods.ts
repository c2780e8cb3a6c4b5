import { type KubeObject, objectKey, type Pod } from '../../core/kube-objects.ts';
import { withdrawReadiness } from '../../core/offloading/withdrawn-readiness.ts';
import { departedPatch, planDeparture } from '../../core/virtual-node/plan-departure.ts';
import { isConflict, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PODS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PodFencing } from '../ports.ts';

export interface DepartedPodsDeps {
  pods: Store<Pod>;
  fencing: Pick<PodFencing, 'stoppedInMs'>;
  clock: Clock;
  logger: Logger;
}

/** A single-node API server takes these writes in a few milliseconds; more would only queue there. */
const AT_ONCE = 16;

/** True when pods are bound to this node that have not been ended yet. */
export function holdsPods({ pods }: Pick<DepartedPodsDeps, 'pods'>, node: string): boolean {
  return planDeparture(pods.list(), node, () => undefined).remove.length > 0;
}

/**
 * Ends the pods on the virtual node of a former member, as that node, so that what wants them makes others at once; those that may
 * still run there, and of which there must be one, leave their Services and stay.
 * @returns how many stay
 */
export async function endDepartedPods(
  deps: DepartedPodsDeps,
  former: { node: string; peerId: string; client: Pick<KubeClient, 'patch' | 'delete'> },
): Promise<number> {
  const { pods, fencing, clock, logger } = deps;
  const { node, peerId, client } = former;
  const { remove, waiting } = planDeparture(pods.list(), node, (pod) => fencing.stoppedInMs(pod, peerId));
  const now = toKubeTime(clock.now());
  await inTurns(waiting, async (pod) => {
    const patch = withdrawReadiness(pod, now);
    if (patch !== undefined) await client.patch(PODS, { ...at(pod), subresource: 'status' }, patch, 'strategic');
  });
  await inTurns(remove, async (pod) => {
    const patch = departedPatch(pod, now);
    if (patch !== undefined) await client.patch(PODS, { ...at(pod), subresource: 'status' }, patch, 'strategic');
    await client.delete(PODS, at(pod), { gracePeriodSeconds: 0, uid: pod.metadata.uid ?? '' });
    logger.info({ pod: objectKey(pod), node }, 'the cluster of a pod is no member any more; the pod is ended');
  });
  return waiting.length;
}

async function inTurns(pods: readonly Pod[], work: (pod: Pod) => Promise<void>): Promise<void> {
  for (let first = 0; first < pods.length; first += AT_ONCE)
    await Promise.all(pods.slice(first, first + AT_ONCE).map((pod) => work(pod).catch(ignoreGone)));
}

function at({ metadata: { namespace = '', name } }: KubeObject): { namespace: string; name: string } {
  return { namespace, name };
}

/** Others end pods as well, and give their names to new ones. */
function ignoreGone(error: unknown): void {
  if (!isNotFound(error) && !isConflict(error)) throw error;
}
