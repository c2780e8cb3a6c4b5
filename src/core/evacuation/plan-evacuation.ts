import { controllerOf, type Pod } from '../kube-objects.ts';
import { isTerminal } from '../pod-phase.ts';

/**
 * Which pods leave a peer that asks for it: those that something makes anew elsewhere. Others would only be gone; they end with
 * the peer.
 * @param isPinned whether its data is there and nowhere else: it waits for its peer
 */
export function planEvacuation(
  pods: readonly Pod[],
  node: string,
  isPinned: (pod: Pod) => boolean = () => false,
): Pod[] {
  return pods.filter((pod) => {
    const controller = controllerOf(pod);
    return (
      pod.spec.nodeName === node &&
      pod.metadata.deletionTimestamp === undefined &&
      !isTerminal(pod.status) &&
      controller !== undefined &&
      controller.kind !== 'DaemonSet' &&
      !isPinned(pod)
    );
  });
}
