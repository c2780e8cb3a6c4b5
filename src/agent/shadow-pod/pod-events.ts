import type { KubeObject } from '../../core/kube-objects.ts';
import type { PodEvent } from '../../core/offloading/pod-submission.ts';
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
  involvedObject?: { kind?: string; name?: string; uid?: string };
  series?: { count?: number };
}

/** A consumer sees only the latest few of a pod. */
const EVENTS_PER_POD = 5;

export interface PodEventsDeps {
  client: Pick<KubeClient, 'list' | 'stream'>;
  clock: Clock;
  logger: Logger;
  /** A warning about the pod of this namespace and name changed. */
  onChange(namespace: string, podName: string): void;
}

/** The warnings that kubelet, scheduler and controllers of this cluster wrote about pods in twin namespaces. */
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
      fieldSelector: 'type=Warning,involvedObject.kind=Pod',
      clock,
      logger,
    });
    reflector.onChange((_key, after) => {
      if (after?.involvedObject?.name !== undefined) onChange(namespace, after.involvedObject.name);
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

  /** The warnings about the pod with this UID, oldest first. */
  of(namespace: string, podUid: string | undefined): PodEvent[] {
    const events = this.#watched.get(namespace)?.reflector.list() ?? [];
    return events
      .filter((event) => event.involvedObject?.uid === podUid && podUid !== undefined)
      .map(toPodEvent)
      .sort((a, b) => (a.lastTimestamp < b.lastTimestamp ? -1 : 1))
      .slice(-EVENTS_PER_POD);
  }
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
