import { controllerOf, type Pod } from '../kube-objects.ts';

/** What made the pod: of a ReplicaSet the Deployment, whose name it has with the hash of the template behind it. */
export function makerOf(pod: Pod): { kind: string; name: string } {
  const owner = controllerOf(pod);
  if (owner === undefined) return { kind: 'Pod', name: pod.metadata.name };
  const hash = pod.metadata.labels?.['pod-template-hash'];
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`))
    return { kind: 'Deployment', name: owner.name.slice(0, -hash.length - 1) };
  return { kind: owner.kind, name: owner.name };
}
