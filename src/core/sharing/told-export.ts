import type { SentEndpoints, SentServicePort } from '../service/sent-service.ts';
import type { ImportType } from './sharing-objects.ts';

export type IpFamily = 'IPv4' | 'IPv6';

/** What a member tells the others of a Service that it exports. Addresses are images: as every member but the pod's own sees them. */
export interface ToldExport {
  namespace: string;
  name: string;
  /** When the ServiceExport was made, in milliseconds since 1970 by its member's clock: of several, the oldest decides. */
  since: number;
  type: ImportType;
  ports: SentServicePort[];
  /** Session affinity by client address, for this long. */
  affinitySeconds?: number;
  internalTrafficPolicy?: 'Cluster' | 'Local';
  trafficDistribution?: string;
  ipFamilies: IpFamily[];
  /** Those that the ServiceExport names, and none of the Service itself. */
  labels: Record<string, string>;
  annotations: Record<string, string>;
  endpoints: SentEndpoints[];
}

/** One of the exports that an import is made of. */
export interface SourceExport {
  /** ID of the member. */
  cluster: string;
  /** For people. */
  clusterName: string;
  told: ToldExport;
}

/** Bounds of what an export may have; an exporter leaves out what is over them, and says so. */
export const MAX_EXPORTED_LABELS = 64;
export const MAX_EXPORTED_ANNOTATIONS = 32;
export const MAX_ANNOTATION_CHARS = 1_024;
/** Exports of one member; those of others a member takes are bounded by the Federation (`guests.perMember.services`). */
export const MAX_EXPORTS = 2_000;

/** `NAMESPACE/NAME`, of exports and of their import alike. */
export function exportKey({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}
