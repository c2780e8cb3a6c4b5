import { GATE_CONTAINER } from './start-gate.ts';

/** Of an event about a real pod. */
export interface EventAbout {
  type?: string | undefined;
  reason?: string | undefined;
  involvedObject?: { fieldPath?: string | undefined } | undefined;
}

/**
 * Whether the owner of a pod is told. On which node the pod is here is known at home, where it is the virtual one; and of the gate, which
 * no pod has there, only what is wrong, since the pod waits for it.
 */
export function concernsOwner({ type, reason, involvedObject }: EventAbout): boolean {
  if (type === 'Warning') return true;
  return reason !== 'Scheduled' && involvedObject?.fieldPath !== `spec.initContainers{${GATE_CONTAINER}}`;
}
