import type { Pod, Volume } from '../kube-objects.ts';
import type { PodVerdict } from '../offloading/pod-submission.ts';
import { problemOfPodResources } from '../quantities/resource-limits.ts';

/** Volume sources whose contents come with the pod. Everything else lives on a node or a storage system of the consumer. */
const PORTABLE_VOLUMES = new Set(['configMap', 'secret', 'projected', 'downwardAPI', 'emptyDir', 'image']);
const PORTABLE_SOURCES = new Set(['configMap', 'secret', 'serviceAccountToken', 'downwardAPI']);

/**
 * Why a pod can never run on a provider, whatever its security level: it needs what cannot travel.
 * Privileges are judged by the provider's API server (pod-security admission of the twin namespace).
 */
export function refusalByPolicy(pod: Pod): Extract<PodVerdict, { accepted: false }> | undefined {
  const resources = problemOfPodResources(pod);
  const problems = [
    ...(resources === undefined ? [] : [resources]),
    ...(pod.metadata.ownerReferences ?? [])
      .filter((owner) => owner.kind === 'DaemonSet' && owner.controller === true)
      .map((owner) => `it belongs to DaemonSet ${owner.name}, which is for the nodes of its own cluster`),
    ...(pod.spec.hostNetwork === true ? ['it uses the network of its node (hostNetwork)'] : []),
    ...(isNonEmpty(pod.spec.resourceClaims) ? ['it uses resource claims'] : []),
    ...(pod.spec.volumes ?? []).flatMap(volumeProblem),
  ];
  if (problems.length === 0) return undefined;
  return {
    accepted: false,
    kind: 'policy',
    reason: 'NotOffloadable',
    message: `the pod cannot be offloaded: ${problems.join('; ')}`,
  };
}

function volumeProblem(volume: Volume): string[] {
  const source = Object.keys(volume).find((key) => key !== 'name');
  if (source !== undefined && !PORTABLE_VOLUMES.has(source)) return [`volume ${volume.name} is of type ${source}`];
  return (volume.projected?.sources ?? []).flatMap((projected) =>
    Object.keys(projected)
      .filter((kind) => !PORTABLE_SOURCES.has(kind))
      .map((kind) => `volume ${volume.name} projects ${kind}`),
  );
}

function isNonEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0;
}
