import type { KubeObject } from '../kube-objects.ts';
import type { Protocol } from './sent-service.ts';

/** The fields of Services and EndpointSlices that headcut reads or writes. */

export interface ServicePort {
  name?: string;
  port: number;
  protocol?: Protocol;
  appProtocol?: string;
  [field: string]: unknown;
}

export interface Service extends KubeObject {
  spec?: {
    type?: string;
    clusterIP?: string;
    ports?: ServicePort[];
    selector?: Record<string, string>;
    externalName?: string;
    sessionAffinity?: string;
    sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } };
    publishNotReadyAddresses?: boolean;
    internalTrafficPolicy?: string;
    [field: string]: unknown;
  };
}

export interface EndpointPort {
  name?: string | null;
  port?: number | null;
  protocol?: Protocol | null;
  appProtocol?: string | null;
}

export interface Endpoint {
  addresses: string[];
  conditions?: { ready?: boolean | null; serving?: boolean | null; terminating?: boolean | null };
  hostname?: string;
  nodeName?: string;
  targetRef?: { kind?: string; namespace?: string; name?: string; uid?: string };
  [field: string]: unknown;
}

export interface EndpointSlice extends KubeObject {
  addressType: string;
  endpoints?: Endpoint[] | null;
  ports?: EndpointPort[] | null;
}

/** Label of an EndpointSlice: the Service it belongs to. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** Label of an EndpointSlice: who keeps it. */
export const SLICE_MANAGER_LABEL = 'endpointslice.kubernetes.io/managed-by';
/** The value of that label on ours: other controllers leave such slices alone. */
export const SLICE_MANAGER = 'headcut.dev';
/** Label that Kubernetes' own controller sets on slices of headless Services, so that service proxies skip them. */
export const HEADLESS_LABEL = 'service.kubernetes.io/headless';

/** True for a Service without an address of its own, whose name leads to its endpoints. */
export function isHeadless(service: Service): boolean {
  return service.spec?.clusterIP === 'None';
}
