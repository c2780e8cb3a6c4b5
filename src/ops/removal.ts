import type { KubeObject, ObjectMeta } from '../core/kube-objects.ts';
import { ignoreGone, isNotFound } from '../kube/api-error.ts';
import type { DeleteOptions, KubeClient } from '../kube/client.ts';
import type { ResourceType } from '../kube/resources.ts';
import type { TimeLimit } from '../runtime/clock.ts';

/** Objects that have to go: a kind, and which of it. */
export interface Removal {
  type: ResourceType;
  namespace?: string;
  query?: { labelSelector?: string; fieldSelector?: string };
  matches?(object: KubeObject): boolean;
  options?: DeleteOptions;
}

/** Between two looks. */
export const POLL_MS = 250;

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

/** Asks for the deletion of all of it and gives what there was of it; only the next look tells what that ended at once. */
export async function removeAll(client: KubeClient, removal: Removal): Promise<KubeObject[]> {
  const found = await findAll(client, removal);
  const force = removal.options?.gracePeriodSeconds === 0;
  const due = found.filter(({ metadata }) => metadata.deletionTimestamp === undefined || force);
  await Promise.all(due.map(({ metadata }) => removeOne(client, removal, metadata)));
  return found;
}

async function removeOne(client: KubeClient, { type, options }: Removal, metadata: ObjectMeta): Promise<void> {
  const { namespace, name, uid } = metadata;
  const preconditions = uid === undefined ? {} : { uid };
  await client.delete(type, { namespace, name }, { ...options, ...preconditions }).catch(ignoreGone);
}

/** Removes until nothing is left or the time is over; gives what is left, as `Kind namespace/name`. */
export async function removeWithin(
  client: KubeClient,
  removals: readonly Removal[],
  { clock, untilMs }: TimeLimit,
): Promise<string[]> {
  for (;;) {
    const found = await Promise.all(
      removals.map(async (removal) => (await removeAll(client, removal)).map((object) => nameOf(removal.type, object))),
    );
    const left = found.flat();
    if (left.length === 0 || clock.monotonic() >= untilMs) return left;
    await clock.sleep(POLL_MS);
  }
}

/** `Namespace demo`, `Pod demo/web-1` */
export function nameOf({ kind }: ResourceType, { metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace === undefined ? '' : `${metadata.namespace}/`}${metadata.name}`;
}
