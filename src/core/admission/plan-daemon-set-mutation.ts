import type { KubeObject } from '../kube-objects.ts';
import type { AddOperation } from './add-operation.ts';
import { type Affinity, excludeVirtualNodes } from './exclude-virtual-nodes.ts';

interface DaemonSet extends KubeObject {
  spec: { template: { spec: { affinity?: Affinity } } };
}

/** With it a DaemonSet asks for pods on virtual nodes. */
const ALLOW_ANNOTATION = 'headcut.dev/allow-virtual-nodes';

/** What keeps a DaemonSet off virtual nodes; equal to the policy in manifests/30-admission.yaml. */
export function planDaemonSetMutation(daemonSet: KubeObject): AddOperation[] {
  const { metadata, spec } = daemonSet as DaemonSet;
  if (metadata.annotations?.[ALLOW_ANNOTATION] === 'true') return [];
  return excludeVirtualNodes(spec.template.spec.affinity, '/spec/template/spec/affinity');
}
