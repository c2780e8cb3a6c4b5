import { CodedError } from '../core/coded-error.ts';
import { FEDERATION_NAME, type FederationObject, type PeerObject } from '../core/membership/peer-object.ts';
import type { KubeClient } from '../kube/client.ts';
import { FEDERATIONS, PEERS } from '../kube/resources.ts';
import { explain, readFederation } from './cluster.ts';

export interface Banned {
  id: string;
  /** The ID where it is no peer, and was not. */
  name: string;
  /** It was so before; nothing was written. */
  already: boolean;
}

const ID = /^[a-z2-7]{52}$/;

/**
 * Ends the membership of a cluster here and keeps it out, whoever vouches for it and whatever invitation it has. For this cluster
 * alone: others keep it. @param who the name of a peer, or the ID of any cluster
 */
export async function ban(
  client: Pick<KubeClient, 'get' | 'list' | 'patch'>,
  who: string,
  options: { dryRun: boolean },
): Promise<Banned> {
  const federation = await readFederation(client);
  try {
    const { items } = await client.list<PeerObject>(PEERS);
    const peer = items.find(({ metadata, spec }) => metadata.name === who || spec.id === who);
    const id = peer?.spec.id ?? who;
    if (!ID.test(id))
      throw new CodedError(
        'NotFound',
        `there is no peer ${who}; headcut peers lists them, and a cluster's ID does as well`,
      );
    if (id === federation.status?.id)
      throw new CodedError('InvalidArgument', 'that is this cluster itself; headcut leave ends its membership');
    const already = (federation.spec?.banned ?? []).includes(id);
    if (!already && !options.dryRun) await writeBanned(client, federation, [...(federation.spec?.banned ?? []), id]);
    return { id, name: peer?.metadata.name ?? id, already };
  } catch (error) {
    throw explain(error);
  }
}

/** The cluster may join again, by a new invitation of this one. @param who its ID, or the beginning of it */
export async function unban(
  client: Pick<KubeClient, 'get' | 'patch'>,
  who: string,
  options: { dryRun: boolean },
): Promise<{ id: string }> {
  const federation = await readFederation(client);
  const banned = federation.spec?.banned ?? [];
  const [id, another] = banned.filter((one) => one.startsWith(who));
  if (id === undefined)
    throw new CodedError(
      'NotFound',
      `no cluster with the ID ${who} is banned here; banned: ${banned.join(', ') || 'none'}`,
    );
  if (another !== undefined)
    throw new CodedError('Conflict', `several banned clusters have IDs that start with ${who}; say more of it`);
  try {
    const rest = banned.filter((one) => one !== id);
    if (!options.dryRun) await writeBanned(client, federation, rest);
    return { id };
  } catch (error) {
    throw explain(error);
  }
}

async function writeBanned(
  client: Pick<KubeClient, 'patch'>,
  { metadata }: FederationObject,
  banned: string[],
): Promise<void> {
  // Somebody else may ban another one at this moment.
  const { resourceVersion } = metadata;
  const patch = { spec: { banned }, ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }) };
  await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, patch);
}
