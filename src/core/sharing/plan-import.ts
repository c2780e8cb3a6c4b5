import { createHash } from 'node:crypto';
import type { KubeObject } from '../kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../labels.ts';
import type { SentEndpoint, SentEndpoints } from '../service/sent-service.ts';
import {
  type Endpoint,
  type EndpointSlice,
  HEADLESS_LABEL,
  isHeadless,
  SERVICE_NAME_LABEL,
  type Service,
  SLICE_MANAGER,
  SLICE_MANAGER_LABEL,
} from '../service/service-objects.ts';
import { isFit, type MergedExports, mergeExports, portFor } from './merge-exports.ts';
import {
  derivedName,
  IMPORT_LABEL,
  type ImportPort,
  isOurs,
  type ServiceImport,
  type ServiceImportSpec,
  SHARED_NAME_LABEL,
  SOURCE_CLUSTER_LABEL,
} from './sharing-objects.ts';
import type { SourceExport } from './told-export.ts';

/** What is known here of one import. */
export interface ImportObservation {
  namespace: string;
  name: string;
  /** What is exported now, and may be imported here. */
  exports: readonly SourceExport[];
  /** Members that have not said yet what they export, since this agent or that one started: what stands of theirs stays. */
  isUnheard(cluster: string): boolean;
  /** False for members out of contact: their endpoints go, and come back with them. */
  isReachable(cluster: string): boolean;
  /** The endpoint as seen from here; undefined for an address that is no pod of that member. */
  toEndpoint(cluster: string, endpoint: SentEndpoint): Endpoint | undefined;
  /** The objects of these names here, whoever made them. */
  present: { serviceImport?: ServiceImport; service?: Service; slices: readonly EndpointSlice[] };
}

/** What is to be here; undefined for what is to go. */
export interface WantedImport {
  merged: MergedExports;
  service: Service;
  slices: EndpointSlice[];
}

export type ImportPlan =
  /** Nothing that is exported is imported under this name any more. */
  | { type: 'remove' }
  /** Somebody else has this name. */
  | { type: 'blocked'; message: string }
  /** Not all exporters were heard: the import stays, these slices go, and those of the exporters that were heard are written. */
  | { type: 'withdraw'; slices: EndpointSlice[]; written: EndpointSlice[] }
  | { type: 'keep'; wanted: WantedImport };

type ImportShape = Pick<ServiceImportSpec, 'type' | 'ports'>;

/** The API server's own limit for one EndpointSlice. */
const ENDPOINTS_PER_SLICE = 1_000;
/** Of a member's ID in the name of a slice. */
const ID_LENGTH = 10;

/** What an import is to be. The same input gives the same plan, and planning again after it was applied changes nothing. */
export function planImport(observed: ImportObservation): ImportPlan {
  const { present, isUnheard } = observed;
  const blocked = whatIsInTheWay(observed);
  if (blocked !== undefined) return { type: 'blocked', message: blocked };
  const [first, ...rest] = observed.exports;
  const unheard = (present.serviceImport?.status?.clusters ?? []).filter(({ cluster }) => isUnheard(cluster));
  // Before all were heard nothing is united anew: a port could go that comes back a moment later.
  if (unheard.length > 0) {
    return { type: 'withdraw', ...whatCounts(observed) };
  }
  if (first === undefined) return { type: 'remove' };
  const merged = mergeExports([first, ...rest]);
  return {
    type: 'keep',
    wanted: { merged, service: toDerivedService(observed, merged), slices: toSlices(observed, merged.spec) },
  };
}

/** The slices while somebody was not heard: what stands of those stays, all else is as it is said, with the ports that the import has. */
function whatCounts(observed: ImportObservation): { slices: EndpointSlice[]; written: EndpointSlice[] } {
  const { present, exports, isUnheard, isReachable } = observed;
  const spec = present.serviceImport?.spec;
  const heard = exports.filter(({ cluster }) => !isUnheard(cluster));
  const written = spec === undefined ? [] : toSlices({ ...observed, exports: heard }, spec);
  const names = new Set(written.map(({ metadata }) => metadata.name));
  const isOver = (slice: EndpointSlice): boolean =>
    !isReachable(sourceOf(slice)) || (spec !== undefined && !isUnheard(sourceOf(slice)));
  return { slices: present.slices.filter((one) => !names.has(one.metadata.name) && isOver(one)), written };
}

function whatIsInTheWay({ namespace, name, present }: ImportObservation): string | undefined {
  const { serviceImport, service } = present;
  if (serviceImport !== undefined && !isOurs(serviceImport))
    return `ServiceImport ${namespace}/${name} was made by somebody else and is left alone; delete it to import what members export`;
  if (service !== undefined && service.metadata.labels?.[IMPORT_LABEL] !== name)
    return `Service ${namespace}/${derivedName(name)} was made by somebody else and is left alone; the import gets its address when that is gone`;
  return undefined;
}

/** The member whose pods a slice names. */
export function sourceOf({ metadata }: KubeObject): string {
  return metadata.labels?.[SOURCE_CLUSTER_LABEL] ?? '';
}

/** Without a selector, so that no controller here makes endpoints of its own. */
function toDerivedService({ namespace, name }: ImportObservation, { spec }: MergedExports): Service {
  const { sessionAffinity = 'None', sessionAffinityConfig, internalTrafficPolicy, trafficDistribution } = spec;
  const ports = spec.ports.map((port) => ({ ...port, targetPort: port.port }));
  return {
    metadata: {
      name: derivedName(name),
      namespace,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY, [IMPORT_LABEL]: name },
    },
    spec: {
      type: 'ClusterIP',
      ...(spec.type === 'Headless' ? { clusterIP: 'None' } : {}),
      ...(ports.length === 0 ? {} : { ports: ports as NonNullable<Service['spec']>['ports'] & object }),
      sessionAffinity,
      ...(sessionAffinityConfig === undefined ? {} : { sessionAffinityConfig }),
      internalTrafficPolicy: internalTrafficPolicy ?? 'Cluster',
      ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
    },
  };
}

/** @param spec of the import: whether it is headless, and its ports */
function toSlices(observed: ImportObservation, spec: ImportShape): EndpointSlice[] {
  return observed.exports
    .filter(({ cluster }) => observed.isReachable(cluster))
    .flatMap((source) => source.told.endpoints.flatMap((group) => toSlicesOfGroup(observed, { source, group, spec })));
}

function toSlicesOfGroup(
  observed: ImportObservation,
  { source, group, spec }: { source: SourceExport; group: SentEndpoints; spec: ImportShape },
): EndpointSlice[] {
  const { namespace, name, toEndpoint } = observed;
  const ports = spec.ports.flatMap((wanted) => toSlicePort(wanted, source, group));
  // Ports that the oldest export contradicts get no traffic; a headless Service may have none at all.
  if (ports.length === 0 && (spec.ports.length > 0 || spec.type !== 'Headless')) return [];
  const endpoints = group.endpoints.flatMap((endpoint) => toEndpoint(source.cluster, endpoint) ?? []);
  const hash = createHash('sha256').update(JSON.stringify(ports)).digest('hex').slice(0, 8);
  return chunks(endpoints, ENDPOINTS_PER_SLICE).map((part, index) => ({
    metadata: {
      name: `${derivedName(name)}-${source.cluster.slice(0, ID_LENGTH)}-${hash}-${index}`,
      namespace,
      labels: {
        [MANAGED_BY_LABEL]: MANAGED_BY,
        [SLICE_MANAGER_LABEL]: SLICE_MANAGER,
        [SERVICE_NAME_LABEL]: derivedName(name),
        [SHARED_NAME_LABEL]: name,
        [SOURCE_CLUSTER_LABEL]: source.cluster,
        ...(spec.type === 'Headless' ? { [HEADLESS_LABEL]: '' } : {}),
      },
    },
    addressType: 'IPv4',
    ports,
    endpoints: part,
  }));
}

function toSlicePort(wanted: ImportPort, { told }: SourceExport, group: SentEndpoints) {
  const own = portFor(told.ports, wanted);
  const target = own && group.ports.find(({ name, protocol }) => name === own.name && protocol === own.protocol);
  if (target === undefined || !isFit(target)) return [];
  const { port, protocol, appProtocol } = target;
  return [{ name: wanted.name ?? '', port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
}

/** Whether a derived Service has to be made anew: what it is cannot change in its life. */
export function isOtherKind(present: Service, wanted: Service): boolean {
  return isHeadless(present) !== isHeadless(wanted);
}

function chunks<T>(items: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
