import type { Container, EnvVar, PodSpec, ProjectedSource, Volume } from '../kube-objects.ts';
import type { ReflectedNames } from './reflected-name.ts';

/**
 * What volumes, projections and variables can be made of. A source that is not known may name an object, which nobody would
 * rename: it is left out. (`fileKeyRef` names a file in a volume of the pod; certificates and trust bundles are the provider's.)
 */
const VOLUME_SOURCES = [
  'configMap',
  'secret',
  'projected',
  'downwardAPI',
  'emptyDir',
  'image',
  'persistentVolumeClaim',
] as const;
const PROJECTED_SOURCES = ['configMap', 'secret', 'serviceAccountToken', 'downwardAPI'] as const;
const VARIABLE_SOURCES = ['configMapKeyRef', 'secretKeyRef', 'fieldRef', 'resourceFieldRef', 'fileKeyRef'] as const;
const ENVIRONMENT_SOURCES = ['prefix', 'configMapRef', 'secretRef'] as const;

/** The pod spec with another name in each reference to a ConfigMap or a Secret, in containers of all kinds too. */
export function withRenamedReferences(spec: PodSpec, names: ReflectedNames): PodSpec {
  const { initContainers, ephemeralContainers, volumes, imagePullSecrets } = spec;
  const containers = (list: Container[]): Container[] => list.map((one) => renamedContainer(one, names));
  return {
    ...spec,
    containers: containers(spec.containers),
    ...(initContainers ? { initContainers: containers(initContainers) } : {}),
    ...(ephemeralContainers ? { ephemeralContainers: containers(ephemeralContainers) } : {}),
    ...(volumes ? { volumes: volumes.map((volume) => renamedVolume(volume, names)) } : {}),
    ...(imagePullSecrets ? { imagePullSecrets: imagePullSecrets.map((one) => renamed('Secret', one, names)) } : {}),
  };
}

function renamedContainer(container: Container, names: ReflectedNames): Container {
  const { env, envFrom } = container;
  return {
    ...container,
    ...(env ? { env: env.map((variable) => renamedVariable(variable, names)) } : {}),
    ...(envFrom
      ? {
          envFrom: envFrom.map((source) => ({
            ...only(source, ENVIRONMENT_SOURCES),
            ...(source.configMapRef ? { configMapRef: renamed('ConfigMap', source.configMapRef, names) } : {}),
            ...(source.secretRef ? { secretRef: renamed('Secret', source.secretRef, names) } : {}),
          })),
        }
      : {}),
  };
}

function renamedVariable(variable: EnvVar, names: ReflectedNames): EnvVar {
  const source = variable.valueFrom;
  if (!source) return variable;
  const { configMapKeyRef, secretKeyRef } = source;
  return {
    ...variable,
    valueFrom: {
      ...only(source, VARIABLE_SOURCES),
      ...(configMapKeyRef ? { configMapKeyRef: renamed('ConfigMap', configMapKeyRef, names) } : {}),
      ...(secretKeyRef ? { secretKeyRef: renamed('Secret', secretKeyRef, names) } : {}),
    },
  };
}

function renamedVolume(volume: Volume, names: ReflectedNames): Volume {
  const { configMap, secret, projected } = volume;
  const { secretName } = secret ?? {};
  return {
    ...only(volume, ['name', ...VOLUME_SOURCES]),
    ...(configMap ? { configMap: renamed('ConfigMap', configMap, names) } : {}),
    ...(secret && secretName ? { secret: { ...secret, secretName: names('Secret', secretName) } } : {}),
    ...(projected?.sources
      ? { projected: { ...projected, sources: projected.sources.map((source) => renamedSource(source, names)) } }
      : {}),
  };
}

function renamedSource(source: ProjectedSource, names: ReflectedNames): ProjectedSource {
  const { configMap, secret } = source;
  return {
    ...only(source, PROJECTED_SOURCES),
    ...(configMap ? { configMap: renamed('ConfigMap', configMap, names) } : {}),
    ...(secret ? { secret: renamed('Secret', secret, names) } : {}),
  };
}

/** A reference without a name is one to nothing, and stays so. */
function renamed<T extends { name?: string }>(kind: 'ConfigMap' | 'Secret', reference: T, names: ReflectedNames): T {
  return reference.name ? { ...reference, name: names(kind, reference.name) } : reference;
}

function only<T extends object, K extends string>(object: T, fields: readonly K[]): T {
  const known = new Set<string>(fields);
  return Object.fromEntries(Object.entries(object).filter(([field]) => known.has(field))) as T;
}
