import type { PodVerdict } from '../exchange/pod-submission.ts';
import type { Container, Pod, ProjectedSource, Volume } from '../kube-objects.ts';

/** A ConfigMap or Secret that a pod names. */
export interface ObjectReference {
  kind: 'ConfigMap' | 'Secret';
  name: string;
}

/** ConfigMaps and Secrets of one pod that are sent along: each is followed by a watch of its own, as a kubelet does it. */
export const MAX_REFERENCES = 100;

/** A service account token that a pod mounts. */
export interface TokenReference {
  volume: string;
  /** Position among the volume's projected sources. */
  index: number;
  audience: string | undefined;
  expirationSeconds: number;
}

/** What the API server sets where a pod does not say (pkg/apis/core/v1/defaults.go). */
const DEFAULT_TOKEN_SECONDS = 3600;

/**
 * All ConfigMaps and Secrets that a pod references, each once, in a stable order: volumes, projected volumes, env, envFrom
 * and image pull secrets. The same set as the Node authorizer grants to the pod's node. Those of debuggers that were attached
 * to it are not among them.
 */
export function referencedObjects(pod: Pick<Pod, 'spec'>): ObjectReference[] {
  return collected((add) => {
    for (const volume of pod.spec.volumes ?? []) addVolume(volume, add);
    for (const container of allContainers(pod)) addEnvironment(container, add);
    for (const secret of pod.spec.imagePullSecrets ?? []) add('Secret', secret.name);
  });
}

/** Why a pod that references so many objects is not sent; undefined when it is. */
export function refusalOfReferences(
  references: readonly ObjectReference[],
): Extract<PodVerdict, { accepted: false }> | undefined {
  if (references.length <= MAX_REFERENCES) return undefined;
  const message = `the pod cannot be offloaded: it names ${references.length} ConfigMaps and Secrets, ${MAX_REFERENCES} are sent at most; put several into one, or let it run at home`;
  return { accepted: false, kind: 'policy', reason: 'TooManyObjects', message };
}

/** What the variables of ephemeral containers come from, which are attached to a pod that runs. */
export function referencedByDebuggers(pod: Pick<Pod, 'spec'>): ObjectReference[] {
  return collected((add) => {
    for (const container of pod.spec.ephemeralContainers ?? []) addEnvironment(container, add);
  });
}

function collected(collect: (add: Add) => void): ObjectReference[] {
  const found = new Map<string, ObjectReference>();
  collect((kind, name) => {
    if (name !== undefined && name !== '') found.set(`${kind}/${name}`, { kind, name });
  });
  return [...found.values()].sort((a, b) => compare(`${a.kind}/${a.name}`, `${b.kind}/${b.name}`));
}

/** The service account tokens that a pod mounts. */
export function referencedTokens(pod: Pick<Pod, 'spec'>): TokenReference[] {
  return (pod.spec.volumes ?? []).flatMap((volume) =>
    (volume.projected?.sources ?? []).flatMap((source, index) => {
      const token = source.serviceAccountToken;
      if (!token) return [];
      const expirationSeconds = token.expirationSeconds ?? DEFAULT_TOKEN_SECONDS;
      return [{ volume: volume.name, index, audience: token.audience, expirationSeconds }];
    }),
  );
}

/** Init containers and containers: those that a pod is made with. */
export function allContainers(pod: Pick<Pod, 'spec'>): Container[] {
  return [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
}

type Add = (kind: ObjectReference['kind'], name: string | undefined) => void;

function addVolume(volume: Volume, add: Add): void {
  add('ConfigMap', volume.configMap?.name);
  add('Secret', volume.secret?.secretName);
  for (const source of volume.projected?.sources ?? []) addSource(source, add);
}

function addSource(source: ProjectedSource, add: Add): void {
  add('ConfigMap', source.configMap?.name);
  add('Secret', source.secret?.name);
}

function addEnvironment(container: Container, add: Add): void {
  for (const variable of container.env ?? []) {
    add('ConfigMap', variable.valueFrom?.configMapKeyRef?.name);
    add('Secret', variable.valueFrom?.secretKeyRef?.name);
  }
  for (const source of container.envFrom ?? []) {
    add('ConfigMap', source.configMapRef?.name);
    add('Secret', source.secretRef?.name);
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
