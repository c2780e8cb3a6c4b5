import { MANAGED_BY, MANAGED_BY_LABEL } from '../../core/labels.ts';
import { homeClassOf, type StorageSettings } from '../../core/volume/guest-volume.ts';
import { type StorageCapacity, storageCapacities } from '../../core/volume/peer-volume.ts';
import type { StorageClass } from '../../core/volume/volume-objects.ts';
import { ignoreGone, isAlreadyExists } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { CSI_STORAGE_CAPACITIES } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PeerLinks } from '../ports.ts';

export interface StorageCapacitiesDeps {
  client: Pick<KubeClient, 'list' | 'create' | 'patch' | 'delete'>;
  classes: Store<StorageClass>;
  links: PeerLinks;
  settings(): StorageSettings | undefined;
  /** Called when the settings may be others. */
  onSettings(listener: () => void): void;
  /** The agent's own namespace, where the objects are. */
  namespace: string;
  clock: Clock;
  logger: Logger;
}

const ALL = 'all';

/** Tells the scheduler what storage each node has for claims of our classes. */
export function createStorageCapacities(deps: StorageCapacitiesDeps): Controller {
  const { classes, links, clock, logger } = deps;
  const controller = createController({
    name: 'storage-capacities',
    clock,
    logger,
    reconcile: () => reconcile(deps),
  });
  const look = (): void => controller.enqueue(ALL);
  classes.onChange(look);
  deps.onSettings(look);
  links.onChange((_id, change) => {
    if (change === 'offer' || change === 'added' || change === 'removed') look();
  });
  void classes.whenSynced().then(look);
  return controller;
}

async function reconcile({ client, classes, links, settings, namespace }: StorageCapacitiesDeps) {
  if (!classes.synced || !links.synced) return undefined;
  const peers = links.list();
  const wanted = storageCapacities({
    classes: classes.list(),
    peers: peers.map(({ id, offer }) => ({ id, storage: offer?.storage ?? [] })),
    hasHomeClass: homeClassOf(classes.list(), settings()) !== undefined,
  });
  const query = { labelSelector: `${MANAGED_BY_LABEL}=${MANAGED_BY}` };
  const { items } = await client.list<StorageCapacity>(CSI_STORAGE_CAPACITIES, { namespace, query });
  const silent = peers.filter(({ offer }) => offer === undefined).map(({ id }) => id);
  for (const one of wanted) await write(client, namespace, one, items);
  const names = new Set(wanted.map(({ metadata }) => metadata.name));
  for (const { metadata, nodeTopology } of items) {
    const { matchLabels = {} } = nodeTopology as { matchLabels?: Record<string, string> };
    // What a peer offered before this agent started stands until it says something else.
    const isSilent = Object.values(matchLabels).some((id) => silent.includes(id));
    if (!names.has(metadata.name) && !isSilent)
      await client.delete(CSI_STORAGE_CAPACITIES, { namespace, name: metadata.name }).catch(ignoreGone);
  }
  return undefined;
}

async function write(
  client: StorageCapacitiesDeps['client'],
  namespace: string,
  wanted: StorageCapacity,
  present: readonly StorageCapacity[],
): Promise<void> {
  const { name } = wanted.metadata;
  const found = present.find(({ metadata }) => metadata.name === name);
  if (found === undefined) {
    const object = { ...wanted, metadata: { ...wanted.metadata, namespace } };
    await client.create(CSI_STORAGE_CAPACITIES, object).catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
  } else if (found.capacity !== wanted.capacity)
    await client.patch(CSI_STORAGE_CAPACITIES, { namespace, name }, { capacity: wanted.capacity });
}
