import type { KubeObject } from '../../core/kube-objects.ts';
import { readPrefix } from '../../core/network/prefix.ts';
import { isForbidden, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ENDPOINT_SLICES } from '../../kube/resources.ts';
import type { Clock } from '../../runtime/clock.ts';

interface Slice extends KubeObject {
  endpoints?: { addresses?: string[] }[];
}

/** API servers seldom move. */
const KEEP_MS = 5 * 60_000;

/** Where the API server of this cluster is, as networks of one IPv4 address each; a server on this node needs none. Sorted. */
export function createApiServers(client: Pick<KubeClient, 'get'>, clock: Clock): () => Promise<string[]> {
  let known: { networks: string[]; at: number } | undefined;
  return async () => {
    const now = clock.monotonic();
    if (known !== undefined && now - known.at < KEEP_MS) return known.networks;
    try {
      known = { networks: await read(client), at: now };
    } catch (error) {
      // What it was is better than nothing: without an answer here the fence would lapse while the API server is away.
      if (known === undefined) throw error;
    }
    return known.networks;
  };
}

async function read(client: Pick<KubeClient, 'get'>): Promise<string[]> {
  try {
    const slice = await client.get<Slice>(ENDPOINT_SLICES, { namespace: 'default', name: 'kubernetes' });
    const addresses = (slice.endpoints ?? []).flatMap(({ addresses: all = [] }) => all);
    return [...new Set(addresses.map((address) => `${address}/32`))]
      .filter((one) => readPrefix(one) !== undefined)
      .sort();
  } catch (error) {
    if (isNotFound(error) || isForbidden(error)) return [];
    throw error;
  }
}
