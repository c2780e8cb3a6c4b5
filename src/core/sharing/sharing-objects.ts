import { createHash } from 'node:crypto';
import type { Condition, KubeObject } from '../kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../labels.ts';

/** The kinds of the Multi-Cluster Services API (KEP-1645, multicluster.x-k8s.io/v1beta1), and the names by which headcut keeps what they stand for. */

export interface ServiceExport extends KubeObject {
  spec?: { exportedLabels?: Record<string, string>; exportedAnnotations?: Record<string, string> };
  status?: { conditions?: Condition[] };
}

export type ImportType = 'ClusterSetIP' | 'Headless';

export interface ImportPort {
  name?: string;
  port: number;
  protocol: string;
  appProtocol?: string;
}

export interface ServiceImportSpec {
  type: ImportType;
  ports: ImportPort[];
  ips?: string[];
  ipFamilies?: string[];
  sessionAffinity?: string;
  sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } };
  internalTrafficPolicy?: string;
  trafficDistribution?: string;
}

export interface ServiceImport extends KubeObject {
  spec?: ServiceImportSpec;
  status?: { clusters?: { cluster: string }[]; conditions?: Condition[] };
}

/** Labels of EndpointSlices that the standard names: the Service, and the ID of the member whose pods they are. */
export const SHARED_NAME_LABEL = 'multicluster.kubernetes.io/service-name';
export { SOURCE_CLUSTER_LABEL } from '../labels.ts';

/** Label of a derived Service, whose value is the name of the import; that of its namespace is the same. */
export const IMPORT_LABEL = 'headcut.dev/import';

/** Namespace annotation: what is shared of it, such as `None`. See core/sharing/sharing-rule. */
export const SHARE_ANNOTATION = 'headcut.dev/share-services';

/** Annotation of an import: the labels and annotations of it that came from exports, so that no others are taken away. */
export const EXPORTED_KEYS_ANNOTATION = 'headcut.dev/exported-keys';

/** Names of derived Services begin so; a user's Service of such a name is left alone. */
export const DERIVED_PREFIX = 'imported-';
const READABLE_LENGTH = 40;

/**
 * The Service that gives an import its address on this cluster, in the same namespace. Never the name of the import: there may be
 * a Service of that name, which is somebody's.
 */
export function derivedName(name: string): string {
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${DERIVED_PREFIX}${name.slice(0, READABLE_LENGTH).replace(/[^a-z0-9]+$/, '')}-${hash}`;
}

/** True for what the agent made: imports that others wrote stay as they are. */
export function isOurs({ metadata }: KubeObject): boolean {
  return metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY;
}
