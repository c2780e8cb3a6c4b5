import type { KubeObject } from '../core/kube-objects.ts';
import { AGENT_NAMESPACE } from '../core/membership/join-secrets.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Discovery } from '../kube/discovery.ts';
import { INSTALLER } from './apply-own.ts';
import { AGENT, possibleObjects } from './install-objects.ts';
import { findAll, nameOf, type Removal, removeAll } from './removal.ts';

/** With these goes what others made of them, or in them. */
const NEVER_REMOVED: readonly unknown[] = ['Namespace', 'CustomResourceDefinition'];
/** Policies first, and what binds them before what they say: they may be in the way of all else. */
const FIRST = ['Binding', 'Policy', 'Configuration'];

/**
 * Removes what another version of headcut installed and this one's manifests do not have, so that a version that is upgraded or set back
 * leaves no policy behind. That is what has headcut's label and was applied by `headcut install`, of the kinds that this version
 * has, in its namespace or in none; nothing else is touched. @returns what was removed, as `Kind namespace/name`
 */
export async function removeFormerObjects(client: KubeClient, discovery: Discovery): Promise<string[]> {
  const present = new Set(possibleObjects().map(keyOf));
  const removed: string[] = [];
  for (const example of kinds()) {
    const type = await discovery.typeOf(example);
    if (type === undefined) continue;
    const removal: Removal = {
      type,
      ...(type.namespaced ? { namespace: AGENT_NAMESPACE } : {}),
      query: { labelSelector: `app.kubernetes.io/name=${AGENT}` },
      matches: (object) => isInstalled(object) && !present.has(keyOf({ ...object, kind: type.kind })),
    };
    if ((await findAll(client, removal)).length === 0) continue;
    removed.push(...(await removeAll(client, removal)).map((object) => nameOf(type, object)));
  }
  return removed;
}

/** One object of each kind, in the order in which they go. */
function kinds(): KubeObject[] {
  const byKind = new Map(possibleObjects().map((object) => [`${object.apiVersion} ${object.kind}`, object]));
  const rank = ({ kind = '' }: KubeObject): number => {
    const found = FIRST.findIndex(
      (ending) => kind.endsWith(ending) && kind !== 'RoleBinding' && kind !== 'ClusterRoleBinding',
    );
    return found < 0 ? FIRST.length : found;
  };
  return [...byKind.values()].filter(({ kind }) => !NEVER_REMOVED.includes(kind)).sort((a, b) => rank(a) - rank(b));
}

function keyOf({ kind, metadata: { namespace = '', name } }: KubeObject): string {
  return `${kind} ${namespace}/${name}`;
}

function isInstalled({ metadata }: KubeObject): boolean {
  const fields = (metadata.managedFields ?? []) as { manager?: string; operation?: string }[];
  return fields.some(({ manager, operation }) => manager === INSTALLER && operation === 'Apply');
}
