import { CodedError } from '../core/coded-error.ts';
import { FEDERATION_NAME } from '../core/membership/peer-object.ts';
import type { KubeClient } from '../kube/client.ts';
import { FEDERATIONS } from '../kube/resources.ts';
import { explain, readFederation } from './cluster.ts';

/** Lets a newcomer in that another member vouches for, where the Federation says `admission: Manual`. @param who name or ID */
export async function approve(
  client: Pick<KubeClient, 'get' | 'patch'>,
  who: string,
): Promise<{ id: string; name: string }> {
  const { spec, status, metadata } = await readFederation(client);
  const pending = status?.pending ?? [];
  const found = pending.filter((one) => one.id === who || one.name === who);
  const [newcomer, another] = found;
  if (newcomer === undefined) {
    const waiting = pending.map((one) => one.name).join(', ');
    throw new CodedError('NotFound', `nobody named ${who} waits for approval; waiting: ${waiting || 'nobody'}`);
  }
  if (another !== undefined) {
    const ids = found.map((one) => one.id).join(', ');
    throw new CodedError('Conflict', `${found.length} newcomers are named ${who}; say which by its ID: ${ids}`);
  }
  const approved = [...new Set([...(spec?.approved ?? []), newcomer.id])];
  // Somebody else may approve another one at this moment.
  const { resourceVersion } = metadata;
  const patch = {
    spec: { approved },
    ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }),
  };
  try {
    await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, patch);
  } catch (error) {
    throw explain(error);
  }
  return { id: newcomer.id, name: newcomer.name };
}
