import type { PodEvent } from '../../core/exchange/pod-submission.ts';
import type { KubeObject } from '../../core/kube-objects.ts';
import { concernsOwner } from '../../core/shadow-pod/owner-events.ts';
import type { KubeClient } from '../../kube/client.ts';
import { Reflector } from '../../kube/reflector.ts';
import { EVENTS } from '../../kube/resources.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';

interface EventObject extends KubeObject {
  type?: string;
  reason?: string;
  message?: string;
  count?: number;
  lastTimestamp?: string | null;
  eventTime?: string | null;
  involvedObject?: { kind?: string; name?: string; uid?: string; fieldPath?: string };
  series?: { count?: number };
}

/** A consumer is told only the latest few of a pod, of each type. */
const EVENTS_PER_TYPE = 6;

export interface PodEventsDeps {
  client: Pick<KubeClient, 'list' | 'stream'>;
  clock: Clock;
  logger: Logger;
  /** There is an event about the pod of this namespace and name. */
  onChange(namespace: string, podName: string): void;
}

/** What kubelet, scheduler and controllers of this cluster wrote about pods in twin namespaces. */
export class PodEvents {
  readonly #deps: PodEventsDeps;
  readonly #watched = new Map<string, { stop: AbortController; reflector: Reflector<EventObject> }>();

  constructor(deps: PodEventsDeps) {
    this.#deps = deps;
  }

  /** Starts to follow a twin namespace; harmless when it is followed already. */
  follow(namespace: string): void {
    if (this.#watched.has(namespace)) return;
    const { client, clock, logger, onChange } = this.#deps;
    const reflector = new Reflector<EventObject>({
      client,
      type: EVENTS,
      namespace,
      fieldSelector: 'involvedObject.kind=Pod',
      slim: toEssentials,
      clock,
      logger,
    });
    reflector.onChange((_key, after, before) => {
      const name = after?.involvedObject?.name;
      if (after === undefined || name === undefined || !concernsOwner(after)) return;
      // That the same happened once more is news only when it is bad.
      if (before === undefined || after.type === 'Warning') onChange(namespace, name);
    });
    const stop = new AbortController();
    this.#watched.set(namespace, { stop, reflector });
    void reflector.run(stop.signal);
  }

  /** Ends following one namespace, or all. */
  unfollow(namespace?: string): void {
    for (const [name, watched] of this.#watched) {
      if (namespace !== undefined && name !== namespace) continue;
      watched.stop.abort();
      this.#watched.delete(name);
    }
  }

  /** The latest few events about the pod with this UID, oldest first. */
  of(namespace: string, podUid: string | undefined): PodEvent[] {
    if (podUid === undefined) return [];
    const events = (this.#watched.get(namespace)?.reflector.list() ?? [])
      .filter((event) => event.involvedObject?.uid === podUid && concernsOwner(event))
      .map(toPodEvent)
      .sort(byTime);
    const warnings = events.filter(({ type }) => type === 'Warning').slice(-EVENTS_PER_TYPE);
    const others = events.filter(({ type }) => type !== 'Warning').slice(-EVENTS_PER_TYPE);
    return [...warnings, ...others].sort(byTime);
  }
}

function byTime(a: PodEvent, b: PodEvent): number {
  return a.lastTimestamp === b.lastTimestamp ? 0 : a.lastTimestamp < b.lastTimestamp ? -1 : 1;
}

/** There are several for each pod, for an hour: only what is told is kept. */
function toEssentials(event: EventObject): EventObject {
  const { metadata, type, reason, message, count, lastTimestamp, eventTime, involvedObject, series } = event;
  const { name, namespace, uid, resourceVersion } = metadata;
  const kept = { metadata: { name, namespace, uid, resourceVersion }, reason, message, count, series };
  const { name: podName, uid: podUid, fieldPath } = involvedObject ?? {};
  const about = { name: podName, uid: podUid, fieldPath };
  return { ...kept, type, lastTimestamp, eventTime, involvedObject: about } as EventObject;
}

function toPodEvent(event: EventObject): PodEvent {
  return {
    id: event.metadata.uid ?? event.metadata.name,
    type: event.type ?? 'Warning',
    reason: event.reason ?? 'Unknown',
    message: event.message ?? '',
    count: event.series?.count ?? event.count ?? 1,
    lastTimestamp: event.lastTimestamp ?? event.eventTime ?? '',
  };
}
