import { isEqual } from '../is-equal.ts';
import type { Container, Pod } from '../kube-objects.ts';

/** A patch (strategic) of the real pod. */
export interface PodPatch {
  subresource: 'resize' | 'ephemeralcontainers' | undefined;
  body: { metadata: Record<string, unknown>; spec?: Record<string, unknown> };
}

/**
 * How the real pod becomes what its owner made of it. Empty when it is that already.
 * @param before the pod as it was made, or as it was after the last change
 * @param after the pod as it should be
 * @param real the pod that runs
 */
export function planPodChanges(before: Pod, after: Pod, real: Pod): PodPatch[] {
  const uid = real.metadata.uid ?? '';
  const plain = plainPatch(before, after, real);
  const resources = resizePatch(before, after, real);
  const debuggers = missingEphemeral(after, real);
  return [
    ...(plain === undefined
      ? []
      : [{ subresource: undefined, body: { ...plain, metadata: { ...plain.metadata, uid } } }]),
    ...(resources === undefined
      ? []
      : [{ subresource: 'resize' as const, body: { metadata: { uid }, spec: resources } }]),
    ...(debuggers.length === 0
      ? []
      : [
          {
            subresource: 'ephemeralcontainers' as const,
            body: { metadata: { uid }, spec: { ephemeralContainers: debuggers } },
          },
        ]),
  ];
}

function plainPatch(before: Pod, after: Pod, real: Pod): PodPatch['body'] | undefined {
  const metadata: Record<string, unknown> = {};
  for (const field of ['labels', 'annotations'] as const) {
    const patch = mapPatch(before.metadata[field] ?? {}, after.metadata[field] ?? {}, real.metadata[field] ?? {});
    if (Object.keys(patch).length > 0) metadata[field] = patch;
  }
  const spec: Record<string, unknown> = {};
  for (const field of ['containers', 'initContainers'] as const) {
    const images = (after.spec[field] ?? []).flatMap(({ name, image }) => {
      const now = find(real.spec[field], name);
      // One that a former version did not give it cannot be added.
      return image === undefined || now === undefined || image === now.image ? [] : [{ name, image }];
    });
    if (images.length > 0) spec[field] = images;
  }
  const deadline = after.spec.activeDeadlineSeconds;
  if (deadline !== undefined && deadline !== real.spec.activeDeadlineSeconds) spec.activeDeadlineSeconds = deadline;
  const nothing = Object.keys(metadata).length === 0 && Object.keys(spec).length === 0;
  if (nothing) return undefined;
  return { metadata, ...(Object.keys(spec).length === 0 ? {} : { spec }) };
}

/** What others put there (admission of the provider's cluster) stays. */
function mapPatch(
  before: Record<string, string>,
  after: Record<string, string>,
  real: Record<string, string>,
): Record<string, string | null> {
  const set = Object.entries(after).filter(([name, value]) => real[name] !== value);
  const removed = Object.keys(before).filter((name) => after[name] === undefined && real[name] !== undefined);
  return { ...Object.fromEntries(set), ...Object.fromEntries(removed.map((name) => [name, null])) };
}

/** A pod that a former version made has not what guests are given today: only what its owner changed is changed. */
function resizePatch(before: Pod, after: Pod, real: Pod): Record<string, unknown> | undefined {
  const spec: Record<string, unknown> = {};
  for (const field of ['containers', 'initContainers'] as const) {
    const resized = (after.spec[field] ?? []).flatMap(({ name, resources }) => {
      const now = find(real.spec[field], name);
      const same = isEqual(resources, find(before.spec[field], name)?.resources);
      return resources === undefined || same || now === undefined || isEqual(resources, now.resources ?? {})
        ? []
        : [{ name, resources }];
    });
    if (resized.length > 0) spec[field] = resized;
  }
  const { resources } = after.spec;
  if (resources !== undefined && !isEqual(resources, before.spec.resources) && !isEqual(resources, real.spec.resources))
    spec.resources = resources;
  return Object.keys(spec).length === 0 ? undefined : spec;
}

/** Ephemeral containers are only ever added. */
function missingEphemeral(after: Pod, real: Pod): Container[] {
  return (after.spec.ephemeralContainers ?? []).filter(
    ({ name }) => find(real.spec.ephemeralContainers, name) === undefined,
  );
}

function find(containers: Container[] | undefined, name: string): Container | undefined {
  return containers?.find((one) => one.name === name);
}
