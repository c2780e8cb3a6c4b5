import type { KubeObject } from '../core/kube-objects.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import type { ResourceType } from '../kube/resources.ts';

/** Field manager of what is installed, so that the agent's own fields stay its own. */
export const INSTALLER = 'headcut-install';
/** That of `kubectl apply --server-side`. */
const KUBECTL = 'kubectl';

/**
 * Makes an object of headcut's manifests what it is in this version. Server-side apply removes a field when the last who applied it does
 * without: what kubectl applied of another version is therefore applied in its name as well.
 */
export async function applyOwn(
  client: Pick<KubeClient, 'get' | 'apply'>,
  type: ResourceType,
  object: KubeObject,
): Promise<void> {
  const managers = [...((await appliersOf(client, type, object)).has(KUBECTL) ? [KUBECTL] : []), INSTALLER];
  for (const fieldManager of managers) await client.apply(type, object, { force: true, fieldManager });
}

async function appliersOf(
  client: Pick<KubeClient, 'get'>,
  type: ResourceType,
  { metadata: { namespace, name } }: KubeObject,
): Promise<Set<string>> {
  try {
    const { metadata } = await client.get(type, { ...(namespace === undefined ? {} : { namespace }), name });
    const fields = (metadata.managedFields ?? []) as { manager?: string; operation?: string }[];
    return new Set(fields.flatMap(({ manager = '', operation }) => (operation === 'Apply' ? [manager] : [])));
  } catch (error) {
    if (isNotFound(error)) return new Set();
    throw error;
  }
}
