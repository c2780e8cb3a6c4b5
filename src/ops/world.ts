import type { World } from '../core/explain/world.ts';
import { type KubeObject, type Node, objectKey, type Pod } from '../core/kube-objects.ts';
import type { PeerObject } from '../core/membership/peer-object.ts';
import type { VolumeView } from '../core/volume/pod-claims.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../core/volume/volume-objects.ts';
import { isForbidden } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import {
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  OFFLOADINGS,
  PEERS,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  type ResourceType,
} from '../kube/resources.ts';
import type { Clock } from '../runtime/clock.ts';
import { explain, readFederation } from './cluster.ts';

/** The part of a client that looking takes. */
export type Reader = Pick<KubeClient, 'get' | 'list'>;

/** Reads all that this cluster knows of the federation, at once. No peer is asked, so a dead one is no hindrance. */
export async function readWorld(client: Reader, clock: Pick<Clock, 'now'>): Promise<World> {
  const lists = Promise.all([
    listAll<PeerObject>(client, PEERS),
    listAll<Node>(client, NODES),
    listAll<Pod>(client, PODS),
    listIfAllowed(client, NAMESPACES),
    listIfAllowed(client, OFFLOADINGS),
    readVolumes(client),
  ]);
  // Where headcut is not installed that is what has to be said, and not which list fails for it.
  lists.catch(() => {});
  const federation = await readFederation(client);
  try {
    const [peers, nodes, pods, namespaces, offloadings, volumes] = await lists;
    peers.sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
    return { federation, peers, nodes, pods, namespaces, offloadings, volumes, now: clock.now() };
  } catch (error) {
    throw explain(error);
  }
}

/** Names of the NetworkPolicies of a namespace: none where the caller may not see them. */
export async function networkPoliciesOf(client: Pick<KubeClient, 'list'>, namespace: string): Promise<string[]> {
  return (await listIfAllowed(client, NETWORK_POLICIES, namespace)).map(({ metadata }) => metadata.name);
}

async function readVolumes(client: Pick<KubeClient, 'list'>): Promise<VolumeView> {
  const [claims, volumes] = await Promise.all([
    listIfAllowed(client, PERSISTENT_VOLUME_CLAIMS),
    listIfAllowed(client, PERSISTENT_VOLUMES),
  ]);
  const claimOf = new Map((claims as PersistentVolumeClaim[]).map((one) => [objectKey(one), one]));
  const volumeOf = new Map((volumes as PersistentVolume[]).map((one) => [one.metadata.name, one]));
  return {
    claimOf: (namespace, name) => claimOf.get(`${namespace}/${name}`),
    volumeOf: (name) => volumeOf.get(name),
  };
}

async function listAll<T extends KubeObject>(
  client: Pick<KubeClient, 'list'>,
  type: ResourceType,
  namespace?: string,
): Promise<T[]> {
  return (await client.list<T>(type, namespace === undefined ? {} : { namespace })).items;
}

/** What somebody with few rights may not see is left out; the rest is still of use. */
async function listIfAllowed(
  client: Pick<KubeClient, 'list'>,
  type: ResourceType,
  namespace?: string,
): Promise<KubeObject[]> {
  try {
    return await listAll(client, type, namespace);
  } catch (error) {
    if (isForbidden(error)) return [];
    throw error;
  }
}
