import type { Pod, Toleration } from '../kube-objects.ts';
import { PEER_LABEL, VIRTUAL_NODE_PREFIX, VIRTUAL_NODE_TAINT } from '../labels.ts';

/** What is known of the namespace of a pod that is being made. */
export interface PodNamespace {
  offloaded: boolean;
  /** What its Offloading says, if it has one. */
  said: 'offloaded' | 'home' | undefined;
}

/** The first tolerations of a pod that was made ready to leave. */
const GIVEN = [VIRTUAL_NODE_TAINT, 'node.kubernetes.io/unreachable', 'node.kubernetes.io/not-ready'];

/**
 * Whether a pod has to be kept off virtual nodes, whose taint it would tolerate: its namespace is not offloaded, or it cannot travel.
 * Equal to the policy headcut-home-pods in manifests/30-admission.yaml. @param portable whether it could run elsewhere
 */
export function staysHome(pod: Pod, { offloaded, said }: PodNamespace, portable: boolean): boolean {
  const { nodeName = '', nodeSelector = {}, tolerations = [] } = pod.spec;
  if (nodeName !== '' || !(said === 'home' || tolerations.some(toleratesVirtualNodes))) return false;
  // One that asks for a peer is refused when it is bound there, with a reason.
  const host = (nodeSelector as Record<string, string>)['kubernetes.io/hostname'] ?? '';
  if (host.startsWith(VIRTUAL_NODE_PREFIX) || PEER_LABEL in (nodeSelector as object)) return false;
  if (offloaded) return !portable && !(pod.metadata.ownerReferences ?? []).some(({ kind }) => kind === 'DaemonSet');
  return !(said === undefined && GIVEN.every((key, index) => tolerations[index]?.key === key));
}

function toleratesVirtualNodes({ key = '', operator = 'Equal', value = '', effect = '' }: Toleration): boolean {
  return (
    ['', VIRTUAL_NODE_TAINT].includes(key) &&
    ['', 'NoSchedule'].includes(effect) &&
    (operator === 'Exists' || (operator === 'Equal' && value === ''))
  );
}
