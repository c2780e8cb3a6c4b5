import { CodedError, hasCode } from '../core/coded-error.ts';
import type { Node, Pod } from '../core/kube-objects.ts';
import { PEER_LABEL } from '../core/labels.ts';
import type { PeerObject } from '../core/membership/peer-object.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { NODES, PEERS, PODS } from '../kube/resources.ts';
import { explain } from './cluster.ts';
import { type EvictOptions, type EvictProgress, evictPods } from './evict.ts';

export interface DrainOptions extends EvictOptions {
  dryRun: boolean;
}

export type DrainProgress = { type: 'cordoned'; node: string; changed: boolean } | EvictProgress;

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
