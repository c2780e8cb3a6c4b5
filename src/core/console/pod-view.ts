import { type Explanation, explainPod } from '../explain/explain-pod.ts';
import { makerOf } from '../explain/maker.ts';
import { peerOfNode, type World } from '../explain/world.ts';
import { type Condition, isReady, type KubeObject, type Pod } from '../kube-objects.ts';
import { phaseOf } from './workloads-view.ts';

/** All that the console shows of one pod, but for its log. */
export interface PodView {
  namespace: string;
  name: string;
  maker: { kind: string; name: string };
  member: string | undefined;
  node: string | undefined;
  phase: string;
  ready: boolean;
  address: string | undefined;
  /** RFC 3339. */
  created: string | undefined;
  containers: { name: string; image: string; state: string; ready: boolean; restarts: number }[];
  conditions: Pick<Condition, 'type' | 'status' | 'reason' | 'message' | 'lastTransitionTime'>[];
  explanation: Explanation;
}

export interface EventView {
  /** RFC 3339; when it was seen last. */
  at: string;
  warning: boolean;
  reason: string;
  message: string;
  count: number;
}

export function podView(world: World, pod: Pod): PodView {
  const { namespace = '', name, creationTimestamp } = pod.metadata;
  const { nodeName } = pod.spec;
  const home = nodeName === undefined ? undefined : (world.federation.status?.name ?? nodeName);
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return {
    ...{ namespace, name },
    maker: makerOf(pod),
    member: peerOfNode(world, nodeName)?.metadata.name ?? home,
    node: nodeName,
    phase: phaseOf(pod),
    ready: isReady(pod),
    address: pod.status?.podIP,
    created: creationTimestamp,
    containers: [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map((container) => {
      const status = statuses.find((one) => one.name === container.name);
      return {
        name: container.name,
        image: container.image ?? '',
        state: stateOf(status?.state),
        ready: status?.ready === true,
        restarts: status?.restartCount ?? 0,
      };
    }),
    conditions: (pod.status?.conditions ?? []).map(({ type, status, reason, message, lastTransitionTime }) => ({
      ...{ type, status },
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
      ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }),
    })),
    explanation: explainPod(world, pod),
  };
}

/** `running`, `waiting: ImagePullBackOff`, … */
function stateOf(state: Record<string, Record<string, unknown>> | undefined): string {
  const [[kind, details] = ['unknown', {}]] = Object.entries(state ?? {});
  const reason = (details as { reason?: unknown } | undefined)?.reason;
  return typeof reason === 'string' ? `${kind}: ${reason}` : kind;
}

/** Events, the newest first. */
export function eventViews(events: readonly KubeObject[]): EventView[] {
  return events
    .map((event) => {
      const { lastTimestamp, eventTime, type, reason, message, count } = event as {
        lastTimestamp?: string | null;
        eventTime?: string | null;
        type?: string;
        reason?: string;
        message?: string;
        count?: number;
      };
      return {
        at: lastTimestamp ?? eventTime ?? event.metadata.creationTimestamp ?? '',
        warning: type === 'Warning',
        reason: reason ?? '',
        message: message ?? '',
        count: count ?? 1,
      };
    })
    .sort((a, b) => b.at.localeCompare(a.at))
    .slice(0, 100);
}
