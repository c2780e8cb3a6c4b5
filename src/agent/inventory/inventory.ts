import { isDeepStrictEqual } from 'node:util';
import {
  type ClusterProfile,
  type ClusterProperty,
  toClusterProfile,
  toClusterProperties,
} from '../../core/inventory/cluster-inventory.ts';
import type { KubeObject } from '../../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL } from '../../core/labels.ts';
import type { PeerObject } from '../../core/membership/peer-object.ts';
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { CLUSTER_PROFILES, CLUSTER_PROPERTIES, type ResourceType } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';

export interface InventoryDeps {
  client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'delete'>;
  namespace: string;
  ownId: string;
  peers: Store<PeerObject>;
  /** The Kubernetes version of a peer, where it said it. */
  versionOf(peerId: string): string | undefined;
  clock: Clock;
  logger: Logger;
}

/** The kinds may be installed later. */
const LOOK_AGAIN_MS = 10 * 60_000;
const OWN_KEY = '';

/** Says in standard objects what this cluster and its peers are, where the cluster has those kinds. */
export function createInventory(deps: InventoryDeps): Controller {
  const { clock, logger, peers } = deps;
  const controller = createController({
    name: 'inventory',
    clock,
    logger,
    reconcile: (key) => (key === OWN_KEY ? reconcileOwn(deps) : reconcilePeer(deps, key)),
  });
  peers.onChange((name, after, before) => {
    controller.enqueue(name);
    if (after === undefined || before === undefined) controller.enqueue(OWN_KEY);
  });
  void peers.whenSynced().then(() => controller.enqueue(OWN_KEY));
  return controller;
}

async function reconcileOwn({ client, ownId, peers }: InventoryDeps) {
  if (!peers.synced) return undefined;
  let isServed = true;
  for (const [name, wanted] of toClusterProperties(ownId, peers.list().length > 0)) {
    const found = await find<ClusterProperty>(client, CLUSTER_PROPERTIES, { name });
    // Somebody else may have said it first: two that correct each other would never end.
    if (found !== undefined && !isOurs(found)) continue;
    if (wanted === undefined) await remove(client, CLUSTER_PROPERTIES, found);
    else if (found === undefined) isServed = await add(client, CLUSTER_PROPERTIES, wanted);
    else if (found.spec.value !== wanted.spec.value)
      await client.patch(CLUSTER_PROPERTIES, { name }, { spec: wanted.spec });
  }
  return isServed ? undefined : { requeueAfterMs: LOOK_AGAIN_MS };
}

async function reconcilePeer({ client, namespace, peers, versionOf }: InventoryDeps, name: string) {
  if (!peers.synced) return undefined;
  const peer = peers.get(name);
  const address = { namespace, name };
  const found = await find<ClusterProfile>(client, CLUSTER_PROFILES, address);
  if (found !== undefined && !isOurs(found)) return undefined;
  if (peer === undefined) return void (await remove(client, CLUSTER_PROFILES, found));
  const wanted = toClusterProfile(peer, namespace, versionOf(peer.spec.id) ?? found?.status?.version?.kubernetes);
  if (found === undefined && !(await add(client, CLUSTER_PROFILES, wanted))) return { requeueAfterMs: LOOK_AGAIN_MS };
  if (found !== undefined && found.spec.displayName !== wanted.spec.displayName)
    await client.patch(CLUSTER_PROFILES, address, { spec: { displayName: wanted.spec.displayName } });
  const { status } = wanted;
  if (!isDeepStrictEqual(found?.status, status))
    await client.patch(CLUSTER_PROFILES, { ...address, subresource: 'status' }, { status });
  return undefined;
}

const isOurs = ({ metadata }: KubeObject): boolean => metadata.labels?.[MANAGED_BY_LABEL] === MANAGED_BY;

async function find<T extends KubeObject>(
  client: Pick<KubeClient, 'get'>,
  type: ResourceType,
  address: { namespace?: string; name: string },
): Promise<T | undefined> {
  try {
    return await client.get<T>(type, address);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** @returns false where the kind is not served */
async function add(client: Pick<KubeClient, 'create'>, type: ResourceType, object: KubeObject): Promise<boolean> {
  try {
    await client.create(type, object);
    return true;
  } catch (error) {
    if (isAlreadyExists(error)) return true;
    if (isNotFound(error)) return false;
    throw error;
  }
}

async function remove(
  client: Pick<KubeClient, 'delete'>,
  type: ResourceType,
  found: KubeObject | undefined,
): Promise<void> {
  if (found === undefined) return;
  const { namespace, name } = found.metadata;
  try {
    await client.delete(type, { namespace, name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
