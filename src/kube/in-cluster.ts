import { readFileSync } from 'node:fs';
import { CodedError } from '../core/coded-error.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import type { KubeConnection } from './connection.ts';

/** Where a pod finds its ServiceAccount's credentials (kubelet's default mount). */
const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** As with its token: kubelets renew the file when the cluster gets another CA, beside the former one or in its place. */
const CA_MAX_AGE_MS = 60_000;

/** The connection of a pod to its own cluster. @param env the process environment (KUBERNETES_SERVICE_HOST, _PORT) */
export function inClusterConnection(
  env: Record<string, string | undefined>,
  folder = SERVICE_ACCOUNT_FOLDER,
  clock: Pick<Clock, 'monotonic'> = systemClock,
): KubeConnection {
  const host = env.KUBERNETES_SERVICE_HOST;
  if (host === undefined)
    throw new CodedError('FailedPrecondition', 'not in a pod: KUBERNETES_SERVICE_HOST is not set');
  const ca = fileKept(`${folder}/ca.crt`, clock);
  // A pod that lacks it ends here.
  ca();
  const port = env.KUBERNETES_SERVICE_PORT ?? '443';
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    get ca() {
      return ca();
    },
    tokenFile: `${folder}/token`,
  };
}

/** The text of a file, read again when it may have changed. One that cannot be read now is as it was. */
function fileKept(path: string, clock: Pick<Clock, 'monotonic'>): () => string {
  let kept: { text: string; readAt: number } | undefined;
  return () => {
    if (kept !== undefined && clock.monotonic() - kept.readAt < CA_MAX_AGE_MS) return kept.text;
    try {
      kept = { text: readFileSync(path, 'utf8'), readAt: clock.monotonic() };
    } catch (error) {
      if (kept === undefined) throw error;
      kept = { ...kept, readAt: clock.monotonic() };
    }
    return kept.text;
  };
}
