import type { KubeConnection } from './connection.ts';
import { callPlainly } from './plain-call.ts';

/**
 * Deletes a pod, by Node's own means alone. Resolves also when it is gone, or when another one has its name by now.
 * @param connection that of a pod (in-cluster.ts)
 */
export async function deletePodPlainly(
  connection: KubeConnection,
  { namespace, name, uid }: { namespace: string; name: string; uid: string },
  gracePeriodSeconds: number,
): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds, preconditions: { uid } };
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
  const { status } = await callPlainly(connection, { method: 'DELETE', path, body });
  if (![200, 202, 404, 409].includes(status)) throw new Error(`the API server answered ${status}`);
}
