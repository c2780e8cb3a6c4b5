import { isEqual } from '../is-equal.ts';
import { isDnsLabel, isQualifiedName } from '../kube-names.ts';
import type { SentServicePort } from '../service/sent-service.ts';
import type { ImportPort, ServiceImportSpec } from './sharing-objects.ts';
import type { SourceExport, ToldExport } from './told-export.ts';

/** The reasons of the condition Conflict that the standard names. */
export type ConflictReason =
  | 'PortConflict'
  | 'TypeConflict'
  | 'SessionAffinityConflict'
  | 'SessionAffinityConfigConflict'
  | 'LabelsConflict'
  | 'AnnotationsConflict'
  | 'InternalTrafficPolicyConflict'
  | 'TrafficDistributionConflict'
  | 'IPFamilyConflict';

export interface ExportConflict {
  reason: ConflictReason;
  message: string;
}

/** What several exports of one namespace and name are together. */
export interface MergedExports {
  /** Without `ips` and `ipFamilies`, which are this cluster's. */
  spec: Omit<ServiceImportSpec, 'ips' | 'ipFamilies'>;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** IDs of the members, the one that decides first. */
  clusters: string[];
  conflicts: ExportConflict[];
}

/** The oldest export first; of the same second the one with the smaller ID, so that all members see the same. */
export function byAge(exports: readonly SourceExport[]): SourceExport[] {
  return [...exports].sort((a, b) => a.told.since - b.told.since || (a.cluster < b.cluster ? -1 : 1));
}

/** The most that one Service of Kubernetes can have by far, and the most that an import gets. */
const MAX_UNITED_PORTS = 100;
/** The values that an API server takes; an exporter may be of another age, or make them up. */
const DISTRIBUTIONS: readonly unknown[] = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];

/**
 * Unites exports: ports are united, and where two contradict each other, as in all else, the oldest export decides. The order of
 * the input does not matter.
 */
export function mergeExports(exports: readonly [SourceExport, ...SourceExport[]]): MergedExports {
  const [oldest, ...others] = byAge(exports) as [SourceExport, ...SourceExport[]];
  const { told } = oldest;
  const headless = told.type === 'Headless';
  return {
    spec: {
      type: told.type,
      ports: unitePorts([told, ...others.map((one) => one.told)]),
      ...(headless ? {} : affinityOf(told)),
      ...(headless || told.internalTrafficPolicy === undefined
        ? {}
        : { internalTrafficPolicy: told.internalTrafficPolicy }),
      ...(headless || !DISTRIBUTIONS.includes(told.trafficDistribution)
        ? {}
        : { trafficDistribution: told.trafficDistribution }),
    },
    labels: told.labels,
    annotations: told.annotations,
    clusters: [oldest, ...others].map(({ cluster }) => cluster),
    conflicts: conflictsOf(oldest, others),
  };
}

function affinityOf({ affinitySeconds }: ToldExport) {
  if (affinitySeconds === undefined) return { sessionAffinity: 'None' };
  return {
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: affinitySeconds } },
  };
}

/**
 * The ports of all, those of the oldest first. Names are unique, and so are number and protocol together; a later port that
 * contradicts an earlier one is left out, and so is one that no API server takes: it would refuse the Service for all. One without a name gets one as soon as it is not the only one.
 */
export function unitePorts(exports: readonly Pick<ToldExport, 'ports'>[]): ImportPort[] {
  const united: SentServicePort[] = [];
  for (const port of exports.flatMap(({ ports }) => ports.filter(isFit))) {
    const isTaken = united.some((one) => nameOf(one) === nameOf(port) || numberOf(one) === numberOf(port));
    if (!isTaken && united.length < MAX_UNITED_PORTS) united.push(port);
  }
  return united.map((port) => ({ ...port, ...(united.length > 1 && port.name === undefined ? named(port) : {}) }));
}

/** Whether an API server takes a port: of a Service, or of its endpoints. */
export function isFit({ name, appProtocol }: Pick<ImportPort, 'name' | 'appProtocol'>): boolean {
  return (name === undefined || isDnsLabel(name)) && (appProtocol === undefined || isQualifiedName(appProtocol));
}

/**
 * The port of an exporter to which traffic for a port of an import may go: that of the same number and protocol, by whatever name,
 * as clients ask for numbers.
 */
export function portFor(ports: readonly SentServicePort[], wanted: ImportPort): SentServicePort | undefined {
  return ports.find((port) => numberOf(port) === numberOf(wanted));
}

/** Ports without a name are one by what they are, not by having none: those of two exports need not be the same. */
function nameOf(port: SentServicePort): string {
  return port.name ?? named(port).name;
}

function named({ port, protocol }: Pick<ImportPort, 'port' | 'protocol'>): { name: string } {
  return { name: `port-${port}-${protocol.toLowerCase()}` };
}

function numberOf({ port, protocol }: Pick<ImportPort, 'port' | 'protocol'>): string {
  return `${port}/${protocol}`;
}

/** What is compared, and what it is called; of exports that differ in type the rest says nothing. */
const COMPARED: readonly [ConflictReason, string, (told: ToldExport) => unknown][] = [
  ['PortConflict', 'ports', ({ ports }) => [...ports].sort(byNumber)],
  ['TypeConflict', 'types (headless or not)', ({ type }) => type],
  [
    'SessionAffinityConflict',
    'session affinity',
    ({ type, affinitySeconds }) => isVirtual(type) && affinitySeconds !== undefined,
  ],
  [
    'SessionAffinityConfigConflict',
    'times of session affinity',
    ({ type, affinitySeconds }) => (isVirtual(type) ? (affinitySeconds ?? null) : null),
  ],
  [
    'InternalTrafficPolicyConflict',
    'internal traffic policies',
    ({ type, internalTrafficPolicy }) => (isVirtual(type) ? (internalTrafficPolicy ?? 'Cluster') : null),
  ],
  [
    'TrafficDistributionConflict',
    'traffic distributions',
    ({ type, trafficDistribution }) => (isVirtual(type) ? (trafficDistribution ?? null) : null),
  ],
  ['IPFamilyConflict', 'IP families', ({ ipFamilies }) => [...ipFamilies].sort()],
  ['LabelsConflict', 'exported labels', ({ labels }) => labels],
  ['AnnotationsConflict', 'exported annotations', ({ annotations }) => annotations],
];
/** What two of different types differ in because of that. */
const OF_TYPE: readonly ConflictReason[] = [
  'SessionAffinityConflict',
  'SessionAffinityConfigConflict',
  'InternalTrafficPolicyConflict',
  'TrafficDistributionConflict',
];
const MAX_NAMED = 5;

function conflictsOf(oldest: SourceExport, others: readonly SourceExport[]): ExportConflict[] {
  return COMPARED.flatMap(([reason, what, aspect]): ExportConflict[] => {
    const wanted = aspect(oldest.told);
    const differing = others.filter(({ told }) => {
      if (told.type !== oldest.told.type && OF_TYPE.includes(reason)) return false;
      if (reason === 'SessionAffinityConfigConflict' && hasAffinity(told) !== hasAffinity(oldest.told)) return false;
      return !isEqual(aspect(told), wanted);
    });
    if (differing.length === 0) return [];
    const names = differing.slice(0, MAX_NAMED).map(({ clusterName }) => clusterName);
    const more = differing.length > names.length ? ` and ${differing.length - names.length} more` : '';
    const outcome =
      reason === 'PortConflict' ? 'all ports are united, and where they contradict each other' : 'of these';
    const message = `the ${what} of ${names.join(', ')}${more} differ from those of ${oldest.clusterName}; ${outcome}, those of ${oldest.clusterName} count, whose export is the oldest`;
    return [{ reason, message }];
  });
}

function hasAffinity({ affinitySeconds }: ToldExport): boolean {
  return affinitySeconds !== undefined;
}

function isVirtual(type: string): boolean {
  return type === 'ClusterSetIP';
}

function byNumber(a: SentServicePort, b: SentServicePort): number {
  return numberOf(a) < numberOf(b) ? -1 : 1;
}
