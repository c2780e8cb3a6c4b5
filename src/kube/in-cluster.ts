import { readFileSync } from 'node:fs';
import { CodedError } from '../core/coded-error.ts';
import type { KubeConnection } from './connection.ts';

/** Where a pod finds its ServiceAccount's credentials (kubelet's default mount). */
const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The connection of a pod to its own cluster. @param env the process environment (KUBERNETES_SERVICE_HOST, _PORT) */
export function inClusterConnection(
  env: Record<string, string | undefined>,
  folder = SERVICE_ACCOUNT_FOLDER,
): KubeConnection {
  const host = env.KUBERNETES_SERVICE_HOST;
  if (host === undefined)
    throw new CodedError('FailedPrecondition', 'not in a pod: KUBERNETES_SERVICE_HOST is not set');
  const port = env.KUBERNETES_SERVICE_PORT ?? '443';
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: readFileSync(`${folder}/ca.crt`, 'utf8'),
    tokenFile: `${folder}/token`,
  };
}
