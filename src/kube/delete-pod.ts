import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import type { KubeConnection } from './connection.ts';

const WITHIN_MS = 5_000;

/**
 * Deletes a pod, by Node's own means alone: for a process that is to stay small. Resolves also when it is gone, or when another one has
 * its name by now.
 * @param connection that of a pod (in-cluster.ts)
 */
export async function deletePodPlainly(
  { server, ca, tokenFile }: KubeConnection,
  { namespace, name, uid }: { namespace: string; name: string; uid: string },
  gracePeriodSeconds: number,
): Promise<void> {
  const token = tokenFile === undefined ? '' : (await readFile(tokenFile, 'utf8')).trim();
  const body = JSON.stringify({ apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds, preconditions: { uid } });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const status = await new Promise<number>((resolve, reject) => {
    const url = `${server}/api/v1/namespaces/${namespace}/pods/${name}`;
    const options = { method: 'DELETE', ca, headers, signal: AbortSignal.timeout(WITHIN_MS) };
    const call = request(url, options, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.on('error', reject);
    call.end(body);
  });
  if (![200, 202, 404, 409].includes(status)) throw new Error(`the API server answered ${status}`);
}
