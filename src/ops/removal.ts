import type { KubeObject } from '../core/kube-objects.ts';
import { isConflict, isNotFound } from '../kube/api-error.ts';
import type { DeleteOptions, KubeClient } from '../kube/client.ts';
import type { ResourceType } from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';

/** Objects that have to go: a kind, and which of it. */
export interface Removal {
  type: ResourceType;
  namespace?: string;
  query?: { labelSelector?: string; fieldSelector?: string };
  matches?(object: KubeObject): boolean;
  options?: DeleteOptions;
}

const POLL_MS = 250;

/** What there is of it now; nothing when the kind or the namespace is unknown. */
export async function findAll(client: KubeClient, removal: Removal): Promise<KubeObject[]> {
  const { type, namespace, query = {}, matches = () => true } = removal;
  try {
    const { items } = await client.list(type, { ...(namespace === undefined ? {} : { namespace }), query });
    return items.filter(matches);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

/** Asks for the deletion of all of it and gives what is still there, which has to end first. */
export async function removeAll(client: KubeClient, removal: Removal): Promise<KubeObject[]> {
  const found = await findAll(client, removal);
  const force = removal.options?.gracePeriodSeconds === 0;
  for (const { metadata } of found) {
    if (metadata.deletionTimestamp !== undefined && !force) continue;
    try {
      const address = { namespace: metadata.namespace, name: metadata.name };
      await client.delete(removal.type, address, {
        ...removal.options,
        ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
      });
    } catch (error) {
      // Gone meanwhile, or another of that name by now, which the next look finds.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }
  return findAll(client, removal);
}

/** Removes until nothing is left or the time is over; gives what is left, as `Kind namespace/name`. */
export async function removeWithin(
  client: KubeClient,
  removals: readonly Removal[],
  { clock, untilMs }: { clock: Clock; untilMs: number },
): Promise<string[]> {
  for (;;) {
    const left: string[] = [];
    for (const removal of removals)
      for (const object of await removeAll(client, removal)) left.push(nameOf(removal.type, object));
    if (left.length === 0 || clock.monotonic() >= untilMs) return left;
    await clock.sleep(POLL_MS);
  }
}

/** `Namespace demo`, `Pod demo/web-1` */
export function nameOf({ kind }: ResourceType, { metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}
