import { CodedError } from '../core/coded-error.ts';
import type { SharedObjects } from '../core/explain/shared-services.ts';
import type { EndpointSlice } from '../core/service/service-objects.ts';
import { type ServiceExport, type ServiceImport, SHARED_NAME_LABEL } from '../core/sharing/sharing-objects.ts';
import { isNotFound } from '../kube/api-error.ts';
import { ENDPOINT_SLICES, SERVICE_EXPORTS, SERVICE_IMPORTS } from '../kube/resources.ts';
import { explain } from './cluster.ts';
import type { Reader } from './world.ts';

/** Reads what is exported and imported here. @param namespace all of them when undefined */
export async function readSharedObjects(client: Reader, namespace?: string): Promise<SharedObjects> {
  const at = namespace === undefined ? {} : { namespace };
  try {
    const [exports, imports, slices] = await Promise.all([
      client.list<ServiceExport>(SERVICE_EXPORTS, at),
      client.list<ServiceImport>(SERVICE_IMPORTS, at),
      client.list<EndpointSlice>(ENDPOINT_SLICES, { ...at, query: { labelSelector: SHARED_NAME_LABEL } }),
    ]);
    return { exports: exports.items, imports: imports.items, slices: slices.items };
  } catch (error) {
    if (isNotFound(error))
      throw new CodedError(
        'FailedPrecondition',
        'this cluster does not serve ServiceExport and ServiceImport (multicluster.x-k8s.io/v1beta1); run headcut install, or kubectl apply -f manifests/optional/multicluster-services.yaml',
        error,
      );
    throw explain(error);
  }
}
