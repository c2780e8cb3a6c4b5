import { CodedError, messageOf } from '../core/coded-error.ts';
import { FEDERATION_NAME, type FederationObject } from '../core/membership/peer-object.ts';
import { ApiError, isForbidden, isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { FEDERATIONS } from '../kube/resources.ts';

/** What every operation works with. */
export interface OpsCluster {
  client: KubeClient;
}

/** This cluster's Federation object; throws FailedPrecondition that says what is missing. */
export async function readFederation(client: Pick<KubeClient, 'get'>): Promise<FederationObject> {
  try {
    return await client.get<FederationObject>(FEDERATIONS, { name: FEDERATION_NAME });
  } catch (error) {
    if (!isNotFound(error)) throw explain(error);
    // The API server's message for a kind that it does not know names no object.
    const installed =
      (error as ApiError).details !== undefined && String((error as ApiError).message).includes(FEDERATION_NAME);
    throw new CodedError(
      'FailedPrecondition',
      installed
        ? 'the headcut agent has not started here yet; look at kubectl -n headcut-system get pods'
        : 'headcut is not installed in this cluster; run headcut install first',
    );
  }
}

/** An error of the API server, or of the way to it, as a CodedError for people. */
export function explain(error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  if (isForbidden(error)) return new CodedError('Forbidden', messageOf(error));
  if (error instanceof ApiError) return new CodedError('Internal', `the API server says: ${error.message}`);
  return new CodedError('Unavailable', 'the API server of this cluster cannot be reached', error);
}
