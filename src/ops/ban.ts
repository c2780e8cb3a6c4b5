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
  /** Names of the peers that came in by its word, or by theirs. */
  newcomers: string[];
  /** These are kept out as well. */
  withNewcomers: boolean;
}

export interface BanOptions {
  dryRun: boolean;
  /** Also those that came in by its word, and by theirs, now and later; one that is approved stays. */
  withNewcomers?: boolean;
}

const ID = /^[a-z2-7]{52}$/;

/**
 * Ends the membership of a cluster here and keeps it out, whoever vouches for it and whatever invitation it has. For this cluster
 * alone: others keep it. @param who the name of a peer, or the ID of any cluster
 */
export async function ban(
  client: Pick<KubeClient, 'get' | 'list' | 'patch'>,
  who: string,
  { dryRun, withNewcomers = false }: BanOptions,
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
    const { banned = [], bannedNewcomers = [], approved = [] } = federation.spec ?? {};
    const already = banned.includes(id) && (!withNewcomers || bannedNewcomers.includes(id));
    const after = { banned: [...new Set([...banned, id])] };
    const more = withNewcomers ? { bannedNewcomers: [...new Set([...bannedNewcomers, id])] } : {};
    if (!already && !dryRun) await writeBanned(client, federation, { ...after, ...more });
    const newcomers = newcomersOf(id, items, approved);
    return { id, name: peer?.metadata.name ?? id, already, newcomers, withNewcomers };
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
    const without = (ids: string[]): string[] => ids.filter((one) => one !== id);
    const { bannedNewcomers } = federation.spec ?? {};
    const rest = {
      banned: without(banned),
      ...(bannedNewcomers === undefined ? {} : { bannedNewcomers: without(bannedNewcomers) }),
    };
    if (!options.dryRun) await writeBanned(client, federation, rest);
    return { id };
  } catch (error) {
    throw explain(error);
  }
}

/** Names of the peers that came in by the word of a cluster, or by the word of those, and that nobody approved. */
export function newcomersOf(id: string, peers: readonly PeerObject[], approved: readonly string[] = []): string[] {
  const found = peers.filter(
    ({ spec, status }) =>
      spec.id !== id &&
      !approved.includes(spec.id) &&
      (status?.cameThrough?.includes(id) === true || spec.vouch?.by === id || spec.vouch?.origin === id),
  );
  return found.map(({ metadata }) => metadata.name).sort();
}

async function writeBanned(
  client: Pick<KubeClient, 'patch'>,
  { metadata }: FederationObject,
  spec: { banned: string[]; bannedNewcomers?: string[] },
): Promise<void> {
  // Somebody else may ban another one at this moment.
  const { resourceVersion } = metadata;
  const patch = { spec, ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }) };
  await client.patch(FEDERATIONS, { name: FEDERATION_NAME }, patch);
}
