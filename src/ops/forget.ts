import { CodedError } from '../core/coded-error.ts';
import type { PeerObject } from '../core/membership/peer-object.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { PEERS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { explain } from './cluster.ts';

const GONE_WITHIN_MS = 5_000;
const POLL_MS = 200;

/**
 * Ends the membership of a peer for this cluster alone, whether it lives or not; what others say about it is believed no more.
 * The same as kubectl delete peer. Bounded in time.
 */
export async function forgetPeer(
  client: Pick<KubeClient, 'get' | 'delete'>,
  name: string,
  clock: Clock,
): Promise<{ name: string; id: string }> {
  try {
    const peer = await client.get<PeerObject>(PEERS, { name });
    const { uid } = peer.metadata;
    await client.delete(PEERS, { name }, uid === undefined ? {} : { uid });
    const until = clock.monotonic() + GONE_WITHIN_MS;
    while (clock.monotonic() < until && (await exists(client, name, uid))) await clock.sleep(POLL_MS);
    return { name, id: peer.spec.id };
  } catch (error) {
    if (isNotFound(error)) throw new CodedError('NotFound', `there is no peer ${name}; headcut status lists them`);
    throw explain(error);
  }
}

async function exists(client: Pick<KubeClient, 'get'>, name: string, uid: string | undefined): Promise<boolean> {
  try {
    return (await client.get(PEERS, { name })).metadata.uid === uid;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
