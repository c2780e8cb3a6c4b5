import type { Pod } from '../../core/kube-objects.ts';
import type { OffloadingAction } from '../../core/offloading/plan-offloaded-pod.ts';
import { plainLine, plainReason } from '../../core/plain-text.ts';
import { podRequests, toResourceList } from '../../core/quantities/resources.ts';
import { ignoreGone, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { EVENTS, PODS } from '../../kube/resources.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import { MAX_GRACE_SECONDS } from '../../wire/schemas.ts';
import type { PeerLink, PodFencing, VirtualNodes } from '../ports.ts';

export interface ApplyTarget {
  uid: string;
  local: Pod | undefined;
  link: PeerLink;
  /** As the node identity of the pod's virtual node; undefined when the pod is gone. */
  node: KubeClient | undefined;
}

export interface ApplyDeps {
  /** As the agent's ServiceAccount. */
  client: Pick<KubeClient, 'get' | 'list'>;
  nodes: Pick<VirtualNodes, 'rooms'>;
  fencing: Pick<PodFencing, 'letGo'>;
  clock: Clock;
}

/** Carries out one action other than those that send the pod. Idempotent. */
export async function applyAction(
  deps: ApplyDeps,
  target: ApplyTarget,
  action: Exclude<OffloadingAction, { type: 'submit' | 'update-remote' }>,
): Promise<void> {
  const { uid, local, link, node } = target;
  switch (action.type) {
    case 'delete-remote':
      if (action.verify && (await existsAtHome(deps.client, link, uid))) return;
      return void (await link.call('deletePod', { params: { uid }, query: graceOf(action) }));
    case 'delete-local':
      if (local === undefined || node === undefined) return;
      if (action.unheard === true && !deps.fencing.letGo(local, link.id)) return;
      return node.delete(PODS, addressOf(local), { gracePeriodSeconds: 0, uid }).catch(ignoreGone);
    case 'patch-status':
      if (local === undefined || node === undefined) return;
      await node
        .patch(PODS, { ...addressOf(local), subresource: 'status' }, action.patch, 'strategic')
        .catch(ignoreGone);
      return;
    case 'note-refusal':
      if (local !== undefined) deps.nodes.rooms.refused(link.id, toResourceList(podRequests(local)));
      return;
    case 'note-loss':
      deps.nodes.rooms.lost(link.id);
      return;
    case 'record-event':
      if (local !== undefined && node !== undefined)
        await recordEvent(node, local, { ...action, id: action.reason, count: 1, at: deps.clock.now() });
      return;
  }
}

/** A missed event, or a cache that is behind, must not end a pod: the API server is asked before anything is deleted. */
async function existsAtHome(client: ApplyDeps['client'], link: PeerLink, uid: string): Promise<boolean> {
  const remote = link.pods.get(uid);
  if (remote === undefined) return true;
  try {
    const pod = await client.get<Pod>(PODS, { namespace: remote.namespace, name: remote.name });
    return pod.metadata.uid === uid;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

export interface PodEventRecord {
  /** Tells events of one pod apart; the same one is recorded once. */
  id: string;
  eventType: string;
  reason: string;
  message: string;
  count: number;
  /** Milliseconds since 1970. */
  at: number;
}

/** Records an event on a pod as its node. An event of the same ID is left as it is. */
export async function recordEvent(node: Pick<KubeClient, 'create'>, pod: Pod, event: PodEventRecord): Promise<void> {
  const { namespace = '', name, uid = '' } = pod.metadata;
  const { nodeName = '' } = pod.spec;
  const at = toKubeTime(event.at);
  const suffix = event.id
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .slice(0, 40);
  await node
    .create(EVENTS, {
      metadata: { name: `${name.slice(0, 150)}.${uid.slice(0, 8)}.${suffix}`, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
      type: event.eventType === 'Normal' ? 'Normal' : 'Warning',
      reason: plainReason(event.reason),
      message: plainLine(event.message),
      source: { component: 'headcut', host: nodeName },
      count: event.count,
      firstTimestamp: at,
      lastTimestamp: at,
    })
    .catch(ignoreGone);
}

function addressOf(pod: Pod): { namespace: string; name: string } {
  return { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name };
}

/** A pod that asks for more gets as much as a provider takes. */
function graceOf({ gracePeriodSeconds }: { gracePeriodSeconds?: number }): { gracePeriodSeconds?: number } {
  return gracePeriodSeconds === undefined
    ? {}
    : { gracePeriodSeconds: Math.min(gracePeriodSeconds, MAX_GRACE_SECONDS) };
}
