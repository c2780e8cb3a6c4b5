import type { Container, PodSpec } from '../kube-objects.ts';

/** The pod with a small volume for what the gate writes before any other container starts. @param change what uses it in a container */
export function withGateVolume(spec: PodSpec, name: string, change: (container: Container) => Container): PodSpec {
  return {
    ...spec,
    containers: spec.containers.map(change),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(change) }),
    volumes: [...(spec.volumes ?? []), { name, emptyDir: { sizeLimit: '1Mi' } }],
  };
}
