import { type KubeObject, objectKey, type Pod } from '../../core/kube-objects.ts';
import { withdrawReadiness } from '../../core/offloading/withdrawn-readiness.ts';
import { isTerminal } from '../../core/pod-phase.ts';
import { departedPatch, planDeparture } from '../../core/virtual-node/plan-departure.ts';
import { ignoreGone } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PODS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import { inBatches } from '../../runtime/batches.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PodFencing } from '../ports.ts';

export interface DepartedPodsDeps {
  pods: Store<Pod>;
  fencing: Pick<PodFencing, 'stoppedInMs' | 'letGo'>;
  clock: Clock;
  logger: Logger;
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
  const withdraw = async (pod: Pod): Promise<void> => {
    const patch = withdrawReadiness(pod, now);
    if (patch !== undefined) await client.patch(PODS, { ...at(pod), subresource: 'status' }, patch, 'strategic');
  };
  let staying = waiting.length;
  const end = async (pod: Pod): Promise<void> => {
    // The peer is a member again, and was heard.
    if (!isTerminal(pod.status) && !fencing.letGo(pod, peerId)) return void staying++;
    const patch = departedPatch(pod, now);
    if (patch !== undefined) await client.patch(PODS, { ...at(pod), subresource: 'status' }, patch, 'strategic');
    await client.delete(PODS, at(pod), { gracePeriodSeconds: 0, uid: pod.metadata.uid ?? '' });
    logger.info({ pod: objectKey(pod), node }, 'the cluster of a pod is no member any more; the pod is ended');
  };
  await inBatches(waiting, (pod) => withdraw(pod).catch(ignoreGone));
  await inBatches(remove, (pod) => end(pod).catch(ignoreGone));
  return staying;
}

function at({ metadata: { namespace = '', name } }: KubeObject): { namespace: string; name: string } {
  return { namespace, name };
}
