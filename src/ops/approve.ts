import { CodedError } from '../core/coded-error.ts';
import { FEDERATION_NAME, type FederationObject, type PeerObject } from '../core/membership/peer-object.ts';
import { isApproved, useOf } from '../core/offer/peer-terms.ts';
import type { KubeClient } from '../kube/client.ts';
import { FEDERATIONS, PEERS } from '../kube/resources.ts';
import { explain, readFederation } from './cluster.ts';

export interface Approved {
  id: string;
  name: string;
  /** It was let in before; nothing was written. */
  already: boolean;
}

/** Lets a newcomer in that another member vouches for, where the Federation says `admission: Manual`. @param who name or ID */
export async function approve(
  client: Pick<KubeClient, 'get' | 'list' | 'patch'>,
  who: string,
  options: { dryRun: boolean },
): Promise<Approved> {
  const federation = await readFederation(client);
  const pending = federation.status?.pending ?? [];
  const found = pending.filter((one) => one.id === who || one.name === who);
  const [newcomer, another] = found;
  if (another !== undefined) {
    const ids = found.map((one) => one.id).join(', ');
    throw new CodedError('Conflict', `${found.length} newcomers are named ${who}; say which by its ID: ${ids}`);
  }
  try {
    if (newcomer === undefined) return await approveMember(client, who, { federation, ...options });
    if (!options.dryRun) await writeApproval(client, federation, newcomer.id);
    return { id: newcomer.id, name: newcomer.name, already: false };
  } catch (error) {
    throw explain(error);
  }
}

async function writeApproval(
  client: Pick<KubeClient, 'patch'>,
  { spec, metadata }: FederationObject,
  id: string,
): Promise<void> {
  const approved = [...new Set([...(spec?.approved ?? []), id])];
  // Somebody else may approve another one at this moment.
  const { resourceVersion } = metadata;
  const patch = { spec: { approved }, ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }) };
  await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, patch);
}

/** Nobody of that name waits: it is a member by now, which may wait for what members may use; or it was never heard of. */
async function approveMember(
  client: Pick<KubeClient, 'list' | 'patch'>,
  who: string,
  { federation, dryRun }: { federation: FederationObject; dryRun: boolean },
): Promise<Approved> {
  const { spec, status } = federation;
  const { items } = await client.list<PeerObject>(PEERS);
  const peer = items.find(({ metadata, spec: { id } }) => metadata.name === who || id === who);
  if (peer !== undefined) {
    const { id } = peer.spec;
    const already = useOf(peer, federation).use !== 'AfterApproval' || isApproved(peer, federation);
    if (!already && !dryRun) await writeApproval(client, federation, id);
    return { id, name: peer.metadata.name, already };
  }
  const waiting = (status?.pending ?? []).map((one) => one.name).join(', ');
  const open = spec?.admission === 'Manual' ? '' : '; this member lets newcomers in at once (admission: Vouched)';
  throw new CodedError('NotFound', `nobody named ${who} waits for approval; waiting: ${waiting || 'nobody'}${open}`);
}
