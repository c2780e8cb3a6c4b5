import { createHash } from 'node:crypto';
import type { Container, Pod, PodSpec } from '../kube-objects.ts';
import { RESERVED_PREFIX } from '../labels.ts';

/** Holds the whole manifest, and changes with every apply: nothing that a pod elsewhere needs. */
const NOT_SENT = new Set(['kubectl.kubernetes.io/last-applied-configuration']);

/** What a user may change of a pod that exists (pkg/apis/core/validation ValidatePodUpdate, resize, ephemeral containers). */
export interface ChangeablePart {
  labels: Record<string, string>;
  annotations: Record<string, string>;
  activeDeadlineSeconds: unknown;
  containers: { name: string; image: string | undefined; resources: unknown }[];
  initContainers: { name: string; image: string | undefined; resources: unknown }[];
  ephemeralContainers: Container[];
  /** Requests and limits of the pod as a whole. */
  resources: unknown;
}

export function changeablePartOf({ metadata, spec }: Pick<Pod, 'metadata' | 'spec'>): ChangeablePart {
  return {
    labels: sent(metadata.labels),
    annotations: sent(metadata.annotations),
    activeDeadlineSeconds: spec.activeDeadlineSeconds,
    containers: spec.containers.map(part),
    initContainers: (spec.initContainers ?? []).map(part),
    ephemeralContainers: spec.ephemeralContainers ?? [],
    resources: spec.resources,
  };
}

function part({ name, image, resources }: Container) {
  return { name, image, resources };
}

function sent(map: Record<string, string> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(map ?? {}).filter(([name]) => !name.startsWith(RESERVED_PREFIX) && !NOT_SENT.has(name)),
  );
}

/** Tells whether two pods agree in all that may change; whatever the order of keys. */
export function changesDigest(pod: Pick<Pod, 'metadata' | 'spec'>): string {
  return createHash('sha256')
    .update(canonical(changeablePartOf(pod)))
    .digest('base64url')
    .slice(0, 22);
}

/** JSON with sorted keys; null, empty and undefined members are left out, since API servers fill in and drop them. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (member === null) return undefined;
    if (typeof member !== 'object' || Array.isArray(member)) return member;
    const entries = Object.entries(member).filter(([, one]) => !isEmpty(one));
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function isEmpty(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);
}

/** `stored` with what may change taken from `from`. */
export function withChanges<T extends Pick<Pod, 'metadata' | 'spec'>>(
  stored: T,
  from: Pick<Pod, 'metadata' | 'spec'>,
): T {
  const { labels, annotations } = from.metadata;
  const { activeDeadlineSeconds, containers, initContainers, ephemeralContainers, resources } = from.spec;
  const optional = { activeDeadlineSeconds, ephemeralContainers, resources };
  const spec: PodSpec = { ...stored.spec, containers: changed(stored.spec.containers, containers) };
  if (stored.spec.initContainers !== undefined)
    spec.initContainers = changed(stored.spec.initContainers, initContainers ?? []);
  for (const [name, value] of Object.entries(optional)) {
    if (value === undefined) delete spec[name];
    else spec[name] = value;
  }
  return { ...stored, metadata: { ...stored.metadata, labels: labels ?? {}, annotations: annotations ?? {} }, spec };
}

function changed(stored: Container[], from: Container[]): Container[] {
  return stored.map((container) => {
    const now = from.find(({ name }) => name === container.name);
    if (now === undefined) return container;
    return {
      ...container,
      ...(now.image === undefined ? {} : { image: now.image }),
      ...(now.resources === undefined ? {} : { resources: now.resources }),
    };
  });
}
