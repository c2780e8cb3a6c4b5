import { CodedError, hasCode } from '../core/coded-error.ts';
import { type Node, objectKey, type Pod } from '../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../core/labels.ts';
import { FEDERATION_NAME, type PeerObject } from '../core/membership/peer-object.ts';
import { isTerminal } from '../core/pod-phase.ts';
import { claimNamesOf } from '../core/volume/pod-claims.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { FEDERATIONS, NODES, PEERS, PODS } from '../kube/resources.ts';
import { explain, readFederation } from './cluster.ts';
import { type EvictOptions, type EvictProgress, evictPods } from './evict.ts';

export interface DrainOptions extends EvictOptions {
  dryRun: boolean;
}

export type DrainProgress =
  | { type: 'cordoned'; node: string; changed: boolean }
  /** This cluster takes no more pods of peers. */
  | { type: 'maintenance'; changed: boolean }
  /** The home of this pod is asked to move it. */
  | { type: 'asked'; pod: string }
  | EvictProgress;

const LOOK_EVERY_MS = 1_000;

/** Sends no more pods to a peer, and moves those of ours that are there. Its own pods, and its pods here, are not touched. */
export async function* drainPeer(
  client: KubeClient,
  peer: string,
  options: DrainOptions,
): AsyncGenerator<DrainProgress> {
  const node = await nodeOf(client, peer);
  const { name } = node.metadata;
  const changed = await setUnschedulable(client, node, true, options.dryRun);
  yield { type: 'cordoned', node: name, changed };
  const there = async (): Promise<Pod[]> =>
    (await client.list<Pod>(PODS, { query: { fieldSelector: `spec.nodeName=${name}` } })).items;
  if (options.dryRun) return yield { type: 'gone', count: (await there()).length };
  yield* evictPods(client, there, options);
}

/** Asks all peers to send no more pods here and to move theirs away, and waits until they have. */
export async function* drainSelf(client: KubeClient, options: DrainOptions): AsyncGenerator<DrainProgress> {
  const changed = await setMaintenance(client, true, options.dryRun);
  yield { type: 'maintenance', changed };
  const { clock, signal, timeoutMs } = options;
  const until = clock.monotonic() + timeoutMs;
  const told = new Set<string>();
  for (;;) {
    const there = await podsOfPeers(client);
    if (options.dryRun || there.length === 0)
      return yield { type: 'gone', count: options.dryRun ? there.length : told.size };
    for (const pod of there.map(objectKey)) {
      if (told.has(pod)) continue;
      told.add(pod);
      yield { type: 'asked', pod };
    }
    if (clock.monotonic() >= until) {
      const names = there.map(objectKey).slice(0, 5).join(', ');
      throw new CodedError(
        'Unavailable',
        `${there.length} pods of peers are still here after ${Math.round(timeoutMs / 1000)}s (${names}): nothing would make them ` +
          'anew, a disruption budget holds them, or their home is away; they go on until this cluster stops',
      );
    }
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/** Takes pods of peers again. @returns whether that changed anything */
export function undrainSelf(client: KubeClient, { dryRun }: { dryRun: boolean }): Promise<boolean> {
  return setMaintenance(client, false, dryRun);
}

async function setMaintenance(client: KubeClient, wanted: boolean, dryRun: boolean): Promise<boolean> {
  try {
    const { spec } = await readFederation(client);
    if ((spec?.maintenance ?? false) === wanted) return false;
    if (!dryRun) await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, { spec: { maintenance: wanted } });
    return true;
  } catch (error) {
    throw error instanceof CodedError ? error : explain(error);
  }
}

async function podsOfPeers(client: KubeClient): Promise<Pod[]> {
  const { items } = await client.list<Pod>(PODS, { query: { labelSelector: ORIGIN_CLUSTER_LABEL } });
  // Those with data here stay: it is nowhere else.
  return items.filter((pod) => !isTerminal(pod.status) && claimNamesOf(pod).length === 0);
}

/** Sends no more pods to a peer. @returns whether that changed anything; undefined where it has no virtual node, so no pods of ours either */
export async function cordonPeer(client: KubeClient, peer: string): Promise<boolean | undefined> {
  try {
    return await setUnschedulable(client, await nodeOf(client, peer), true, false);
  } catch (error) {
    if (hasCode(error, 'FailedPrecondition', 'NotFound')) return undefined;
    throw error;
  }
}

/** Lets pods go to the peer again. @returns the node, and whether it was cordoned */
export async function undrainPeer(
  client: KubeClient,
  peer: string,
  options: { dryRun: boolean },
): Promise<{ node: string; changed: boolean }> {
  const node = await nodeOf(client, peer);
  return { node: node.metadata.name, changed: await setUnschedulable(client, node, false, options.dryRun) };
}

async function nodeOf(client: KubeClient, name: string): Promise<Node> {
  try {
    const peer = await client.get<PeerObject>(PEERS, { name });
    const { items } = await client.list<Node>(NODES, { query: { labelSelector: `${PEER_LABEL}=${peer.spec.id}` } });
    const [node] = items;
    if (node !== undefined) return node;
    throw new CodedError('FailedPrecondition', `peer ${name} has no virtual node here yet, so no pods of ours either`);
  } catch (error) {
    if (isNotFound(error)) throw new CodedError('NotFound', `there is no peer ${name}; headcut peers lists them`);
    throw explain(error);
  }
}

async function setUnschedulable(client: KubeClient, node: Node, wanted: boolean, dryRun: boolean): Promise<boolean> {
  if ((node.spec?.unschedulable ?? false) === wanted) return false;
  if (!dryRun)
    await client.patch(NODES, { name: node.metadata.name }, { spec: { unschedulable: wanted ? true : null } });
  return true;
}
