import { isLabelValue, isQualifiedName } from '../kube-names.ts';
import { RESERVED_PREFIX } from '../labels.ts';
import { isHeadless, type Service } from '../service/service-objects.ts';
import { type NamespaceServices, toSentServices } from '../service/to-sent-services.ts';
import type { ServiceExport } from './sharing-objects.ts';
import {
  type IpFamily,
  MAX_ANNOTATION_CHARS,
  MAX_EXPORTED_ANNOTATIONS,
  MAX_EXPORTED_LABELS,
  type ToldExport,
} from './told-export.ts';

/** Why a ServiceExport cannot be, in the words of the standard. */
export interface InvalidExport {
  reason: 'NoService' | 'InvalidServiceType' | 'NotShared';
  message: string;
}

export type OwnExport = { told: ToldExport } | { invalid: InvalidExport };

/** Labels and annotations that say something about the object they are on, or are ours. */
const NOT_EXPORTED = /^(app\.kubernetes\.io\/managed-by|kubectl\.kubernetes\.io\/.*|multicluster\.kubernetes\.io\/.*)$/;

/** What this member tells of an export, or why it cannot. @param around what is in its namespace */
export function toOwnExport(
  { metadata, spec = {} }: ServiceExport,
  service: Service | undefined,
  around: Omit<NamespaceServices, 'services' | 'namespace'>,
): OwnExport {
  const { name, namespace = '' } = metadata;
  if (service === undefined) {
    const message = `there is no Service ${name} in namespace ${namespace}; the export counts as soon as there is one`;
    return { invalid: { reason: 'NoService', message } };
  }
  if (service.spec?.type === 'ExternalName') {
    const message = `Service ${name} has the type ExternalName, which leads to no pods of this cluster and cannot be exported`;
    return { invalid: { reason: 'InvalidServiceType', message } };
  }
  const [sent] = toSentServices({ ...around, namespace, services: [service] });
  if (sent === undefined) {
    const message = `Service ${name} is this cluster's own API server or is being deleted, and cannot be exported`;
    return { invalid: { reason: 'InvalidServiceType', message } };
  }
  const { internalTrafficPolicy, trafficDistribution, ipFamilies } = service.spec as ServiceFields;
  const since = Date.parse(metadata.creationTimestamp ?? '');
  return {
    told: {
      namespace,
      name,
      since: Number.isFinite(since) ? since : 0,
      type: isHeadless(service) ? 'Headless' : 'ClusterSetIP',
      ports: sent.ports,
      ...(sent.affinitySeconds === undefined ? {} : { affinitySeconds: sent.affinitySeconds }),
      ...(internalTrafficPolicy === undefined ? {} : { internalTrafficPolicy }),
      ...(trafficDistribution === undefined ? {} : { trafficDistribution }),
      ipFamilies: [...(ipFamilies ?? ['IPv4'])].slice(0, 2),
      labels: exported(exportableLabels(spec.exportedLabels), MAX_EXPORTED_LABELS),
      annotations: exported(exportableAnnotations(spec.exportedAnnotations), MAX_EXPORTED_ANNOTATIONS),
      endpoints: sent.endpoints,
    },
  };
}

interface ServiceFields {
  internalTrafficPolicy?: 'Cluster' | 'Local';
  trafficDistribution?: string;
  ipFamilies?: IpFamily[];
}

/** Sorted, so that equal states are equal texts. */
function exported(all: Record<string, string>, most: number): Record<string, string> {
  const kept = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(kept.slice(0, most));
}

/** Those labels that may come from an export to an import: one that an API server refuses would keep all else from being there. */
export function exportableLabels(all: Record<string, string> = {}): Record<string, string> {
  return only(all, (name, value) => mayBeExported(name) && isLabelValue(value));
}

/** The same of annotations. */
export function exportableAnnotations(all: Record<string, string> = {}): Record<string, string> {
  return only(all, (name, value) => mayBeExported(name) && value.length <= MAX_ANNOTATION_CHARS);
}

function only(all: Record<string, string>, isFit: (name: string, value: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(all).filter(([name, value]) => isFit(name, value)));
}

function mayBeExported(name: string): boolean {
  return isQualifiedName(name) && !name.startsWith(RESERVED_PREFIX) && !NOT_EXPORTED.test(name);
}
