import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { apiVersionOf, SERVICE_EXPORTS, SERVICE_IMPORTS } from '../../kube/resources.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';

/** Somebody may install the kinds at any time. */
const LOOK_AGAIN_MS = 15_000;
/** An API server that does not answer has said nothing of them: what was shared goes on as soon as it does. */
const ASK_AGAIN_MS = 250;

/**
 * Waits until this cluster serves the kinds by which Services are shared, or `signal` aborts.
 * @param onMissing called once when it says that it does not
 */
export async function whenKindsServed(
  {
    client,
    clock,
    logger,
    onMissing,
  }: { client: Pick<KubeClient, 'request'>; clock: Clock; logger: Logger; onMissing(): void },
  signal: AbortSignal,
): Promise<void> {
  let isSaid = false;
  while (!signal.aborted) {
    const served = await areServed(client).catch(() => undefined);
    if (served === true) return;
    if (served === false && !isSaid) {
      logger.info({ kinds: 'multicluster.x-k8s.io/v1beta1' }, 'Services are not shared: kinds not served');
      isSaid = true;
      onMissing();
    }
    await clock.sleep(served === false ? LOOK_AGAIN_MS : ASK_AGAIN_MS, signal).catch(() => {});
  }
}

async function areServed(client: Pick<KubeClient, 'request'>): Promise<boolean> {
  try {
    const answer = await client.request('GET', `/apis/${apiVersionOf(SERVICE_EXPORTS)}`);
    const names = new Set((answer as { resources: { name: string }[] }).resources.map(({ name }) => name));
    return [SERVICE_EXPORTS, SERVICE_IMPORTS].every(({ plural }) => names.has(plural));
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
