import { CodedError } from '../core/coded-error.ts';
import { counted } from '../core/explain/age.ts';
import type { KubeObject, Node, Pod } from '../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, PEER_LABEL } from '../core/labels.ts';
import type { PeerObject } from '../core/membership/peer-object.ts';
import { isTerminal } from '../core/pod-phase.ts';
import { PEER_LEFT_REASON } from '../core/virtual-node/plan-node.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { NODES, PEERS, PODS } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { newcomersOf } from './ban.ts';
import { explain } from './cluster.ts';

const GONE_WITHIN_MS = 10_000;
const POLL_MS = 200;

export interface ForgetOptions {
  clock: Clock;
  signal: AbortSignal;
  dryRun: boolean;
}

export interface Forgotten {
  name: string;
  id: string;
  /** Pods of this cluster that were bound to it. */
  pods: number;
  /** Pods of it that run here; the agent lets them end after a while (core/shadow-pod/home-lost.ts). */
  podsHere: number;
  /** Names of the peers that came in by its word, or by theirs, where there are any: they stay. */
  newcomers?: string[];
  /** Pods of which there must be one, and which may still run there: its virtual node stays until they have stopped for sure. */
  podsAwaited?: number;
  /** Its virtual node, where that is still there for no such reason: the agent of this cluster removes it, once it runs. */
  nodeLeft?: string;
}

/**
 * Ends the membership of a peer for this cluster alone, whether it lives or not; what others say about it is believed no more.
 * The same as kubectl delete peer. Bounded in time.
 */
export async function forgetPeer(
  client: Pick<KubeClient, 'get' | 'list' | 'delete'>,
  name: string,
  { clock, signal, dryRun }: ForgetOptions,
): Promise<Forgotten> {
  try {
    const { metadata, spec } = await client.get<PeerObject>(PEERS, { name });
    const [node] = await virtualNodes(client, spec.id);
    const pods = await podsOn(client, node);
    const podsHere = await countPods(client, { labelSelector: `${ORIGIN_CLUSTER_LABEL}=${spec.id}` });
    const newcomers = newcomersOf(spec.id, (await client.list<PeerObject>(PEERS)).items);
    const forgotten = { name, id: spec.id, pods, podsHere, ...(newcomers.length === 0 ? {} : { newcomers }) };
    if (dryRun) return forgotten;
    const { uid } = metadata;
    await client.delete(PEERS, { name }, uid === undefined ? {} : { uid });
    const until = clock.monotonic() + GONE_WITHIN_MS;
    const wait = async (isThere: () => Promise<boolean>): Promise<boolean> => {
      while (await isThere()) {
        if (clock.monotonic() >= until) return false;
        await clock.sleep(POLL_MS, signal);
      }
      return true;
    };
    if (!(await wait(async () => (await peerOf(client, name, uid)) !== undefined)))
      throw new CodedError(
        'Unavailable',
        `peer ${name} is to be deleted, and something holds it: ${await holders(client, name)}; take that away`,
      );
    const isPlain = async (): Promise<boolean> => (await virtualNodes(client, spec.id)).some((one) => !isAwaiting(one));
    if (node === undefined) return forgotten;
    if (await wait(isPlain)) {
      const podsAwaited = await podsOn(client, (await virtualNodes(client, spec.id))[0]);
      return podsAwaited === 0 ? forgotten : { ...forgotten, podsAwaited };
    }
    return { ...forgotten, nodeLeft: node.metadata.name };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (isNotFound(error)) throw new CodedError('NotFound', `there is no peer ${name}; headcut peers lists them`);
    throw explain(error);
  }
}

async function virtualNodes(client: Pick<KubeClient, 'list'>, id: string): Promise<Node[]> {
  return (await client.list<Node>(NODES, { query: { labelSelector: `${PEER_LABEL}=${id}` } })).items;
}

/** The agent marks the node of a former member for which it has to wait. */
function isAwaiting({ status }: Node): boolean {
  return status?.conditions?.some(({ type, reason }) => type === 'Ready' && reason === PEER_LEFT_REASON) === true;
}

async function podsOn(client: Pick<KubeClient, 'list'>, node: Node | undefined): Promise<number> {
  return node === undefined ? 0 : countPods(client, { fieldSelector: `spec.nodeName=${node.metadata.name}` });
}

async function countPods(client: Pick<KubeClient, 'list'>, query: Record<string, string>): Promise<number> {
  const { items } = await client.list<Pod>(PODS, { query });
  return items.filter((pod) => !isTerminal(pod.status)).length;
}

/** The Peer object, unless it is another one by now. */
async function peerOf(
  client: Pick<KubeClient, 'get'>,
  name: string,
  uid: string | undefined,
): Promise<KubeObject | undefined> {
  try {
    const peer = await client.get(PEERS, { name });
    return peer.metadata.uid === uid ? peer : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The agent puts no finalizers on peers; somebody else may. */
async function holders(client: Pick<KubeClient, 'get'>, name: string): Promise<string> {
  const { finalizers = [] } = (await client.get(PEERS, { name })).metadata;
  return counted(finalizers.length, 'finalizer') + (finalizers.length === 0 ? '' : ` (${finalizers.join(', ')})`);
}
