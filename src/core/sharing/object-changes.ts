import { isEqual } from '../is-equal.ts';
import type { Condition, KubeObject } from '../kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../labels.ts';
import type { EndpointSlice, Service } from '../service/service-objects.ts';
import type { ExportConflict, MergedExports } from './merge-exports.ts';
import { EXPORTED_KEYS_ANNOTATION, type ServiceImport } from './sharing-objects.ts';
import { exportableAnnotations, exportableLabels } from './to-told-export.ts';

/** The changes that make objects of an import what they are to be; undefined where nothing differs. */

type Patch = Record<string, unknown>;

/** What of a derived Service may have to be taken away again. */
const REMOVABLE = ['sessionAffinityConfig', 'ports', 'selector', 'trafficDistribution', 'publishNotReadyAddresses'];

/** A merge patch for a derived Service. */
export function serviceChange(present: Service, wanted: Service): Patch | undefined {
  const spec: Patch = {};
  for (const field of new Set([...Object.keys(wanted.spec ?? {}), ...REMOVABLE])) {
    const value = wanted.spec?.[field];
    if (!isEqual(value, comparable(field, present.spec?.[field]))) spec[field] = value ?? null;
  }
  const labels = missingOf(present.metadata.labels, wanted.metadata.labels ?? {});
  if (Object.keys(spec).length === 0 && labels === undefined) return undefined;
  return {
    ...(labels === undefined ? {} : { metadata: { labels } }),
    ...(Object.keys(spec).length === 0 ? {} : { spec }),
  };
}

/** The API server fills in more than we say of a port. */
function comparable(field: string, present: unknown): unknown {
  if (field !== 'ports' || !Array.isArray(present)) return present;
  return present.map(({ name, port, protocol, appProtocol, targetPort }) =>
    withoutUndefined({ name, port, protocol, appProtocol, targetPort }),
  );
}

/** The slice to be written in place of another one. */
export function sliceChange(present: EndpointSlice, wanted: EndpointSlice): EndpointSlice | undefined {
  const same =
    missingOf(present.metadata.labels, wanted.metadata.labels ?? {}) === undefined &&
    isEqual(present.ports ?? [], wanted.ports) &&
    isEqual(present.endpoints ?? [], wanted.endpoints);
  if (same) return undefined;
  const { resourceVersion } = present.metadata;
  return { ...wanted, metadata: { ...wanted.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) } };
}

/** The import as it is made. @param service the derived one as it is here, for its addresses */
export function toServiceImport(
  { namespace, name }: { namespace: string; name: string },
  merged: MergedExports,
  service: Service | undefined,
): ServiceImport {
  const labels = exportableLabels(merged.labels);
  const annotations = exportableAnnotations(merged.annotations);
  const keys = [...Object.keys(labels).map((key) => `l:${key}`), ...Object.keys(annotations).map((key) => `a:${key}`)];
  return {
    metadata: {
      name,
      namespace,
      labels: { ...labels, [MANAGED_BY_LABEL]: MANAGED_BY },
      annotations: { ...annotations, ...(keys.length === 0 ? {} : { [EXPORTED_KEYS_ANNOTATION]: keys.join(' ') }) },
    },
    spec: {
      ...merged.spec,
      ...(merged.spec.type === 'Headless' ? {} : { ips: ipsOf(service) }),
      // A headless Service without a selector has both by default, whatever its endpoints have, which are IPv4.
      ipFamilies:
        merged.spec.type === 'Headless'
          ? ['IPv4']
          : ((service?.spec?.ipFamilies as string[] | undefined)?.slice(0, 2) ?? ['IPv4']),
    },
  };
}

/** The addresses that a Service has on this cluster. */
export function ipsOf(service: Service | undefined): string[] {
  const { clusterIP, clusterIPs } = (service?.spec ?? {}) as { clusterIP?: string; clusterIPs?: string[] };
  return (clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP]))
    .filter((ip) => ip !== '' && ip !== 'None')
    .slice(0, 2);
}

/** A merge patch for an import. Labels and annotations that others gave it stay. */
export function importChange(present: ServiceImport, wanted: ServiceImport): Patch | undefined {
  const former = (present.metadata.annotations?.[EXPORTED_KEYS_ANNOTATION] ?? '').split(' ');
  const keysOf = (kind: 'l' | 'a'): string[] =>
    former.filter((key) => key.startsWith(`${kind}:`)).map((key) => key.slice(2));
  const labels = missingOf(present.metadata.labels, wanted.metadata.labels ?? {}, keysOf('l'));
  const annotations = missingOf(present.metadata.annotations, wanted.metadata.annotations ?? {}, [
    ...keysOf('a'),
    EXPORTED_KEYS_ANNOTATION,
  ]);
  const spec: Patch = {};
  for (const field of new Set([...Object.keys(wanted.spec ?? {}), ...Object.keys(present.spec ?? {})])) {
    const value = (wanted.spec as Patch | undefined)?.[field];
    if (!isEqual(value, (present.spec as Patch | undefined)?.[field])) spec[field] = value ?? null;
  }
  const metadata = {
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
  if (Object.keys(metadata).length === 0 && Object.keys(spec).length === 0) return undefined;
  return {
    ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
    ...(Object.keys(spec).length === 0 ? {} : { spec }),
  };
}

/** A merge patch of labels or annotations: what differs, and null for those of `owned` that are to go. */
function missingOf(
  present: Record<string, string> = {},
  wanted: Record<string, string>,
  owned: readonly string[] = [],
): Record<string, string | null> | undefined {
  const patch = Object.fromEntries([
    ...Object.entries(wanted).filter(([name, value]) => present[name] !== value),
    ...owned.filter((name) => !(name in wanted) && name in present).map((name) => [name, null] as const),
  ]);
  return Object.keys(patch).length === 0 ? undefined : patch;
}

export interface WantedCondition {
  type: string;
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
}

/** Longest that the kinds allow is 32768; people read less. */
const MAX_MESSAGE = 1_024;

/** The conditions of an own export. @param problem why it is not exported, or not to all */
export function exportConditions(
  invalid: { reason: string; message: string } | undefined,
  conflicts: readonly ExportConflict[],
  problem: string | undefined,
): WantedCondition[] {
  if (invalid !== undefined) {
    return [
      { type: 'Valid', status: 'False', ...invalid },
      { type: 'Ready', status: 'False', reason: 'Pending', message: 'the export is not valid' },
      { type: 'Conflict', status: 'False', reason: 'NoConflicts', message: '' },
    ];
  }
  return [
    { type: 'Valid', status: 'True', reason: 'Valid', message: '' },
    problem === undefined
      ? { type: 'Ready', status: 'True', reason: 'Exported', message: 'members are told of it as they are in contact' }
      : { type: 'Ready', status: 'False', reason: 'Failed', message: problem },
    conflicts.length === 0
      ? { type: 'Conflict', status: 'False', reason: 'NoConflicts', message: '' }
      : {
          type: 'Conflict',
          status: 'True',
          reason: conflicts.map(({ reason }) => reason).join(','),
          message: conflicts.map(({ message }) => message).join('; '),
        },
  ];
}

/** The conditions of an import. */
export function importConditions(merged: MergedExports, service: Service | undefined): WantedCondition[] {
  const waits = merged.spec.type === 'ClusterSetIP' && ipsOf(service).length === 0;
  return [
    waits
      ? { type: 'Ready', status: 'False', reason: 'Pending', message: 'it has no address on this cluster yet' }
      : { type: 'Ready', status: 'True', reason: 'Ready', message: '' },
  ];
}

/** Those of an object after it: others' conditions stay, and so do times where nothing changed. Undefined when all is so already. */
export function conditionsAfter(
  { metadata, status }: KubeObject & { status?: { conditions?: Condition[] } },
  wanted: readonly WantedCondition[],
  now: string,
): Condition[] | undefined {
  const present = status?.conditions ?? [];
  const next = wanted.map((one): Condition => {
    const before = present.find(({ type }) => type === one.type);
    return {
      ...one,
      message: one.message.slice(0, MAX_MESSAGE),
      ...(metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }),
      lastTransitionTime: before?.status === one.status ? (before.lastTransitionTime ?? now) : now,
    };
  });
  const others = present.filter(({ type }) => !wanted.some((one) => one.type === type));
  const all = [...others, ...next];
  return isEqual(all, present) ? undefined : all;
}

function withoutUndefined(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}
