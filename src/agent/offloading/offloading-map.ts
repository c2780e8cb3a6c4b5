import { isEqual } from '../../core/is-equal.ts';
import type { KubeObject, Node } from '../../core/kube-objects.ts';

import { OFFLOADING_MAP, offloadingMap } from '../../core/offloading/namespace-offloading.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { CONFIG_MAPS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';

export interface OffloadingMapDeps {
  client: Pick<KubeClient, 'get' | 'apply'>;
  /** That of the agent. */
  namespace: string;
  nodes: Store<Node>;
  offloadings: Store<KubeObject>;
  clock: Clock;
  logger: Logger;
}

type ConfigMap = KubeObject & { data?: Record<string, string> };

const KEY = '';
/** Somebody may have changed or removed it. */
const LOOK_AGAIN_MS = 60_000;

/**
 * Keeps the ConfigMap in which admission policies read which nodes are virtual and which namespaces an Offloading speaks for. Policies can
 * have the objects of one kind as parameters, and those of a CRD not in the first seconds of an API server.
 */
export function createOffloadingMap(deps: OffloadingMapDeps): Controller {
  const { client, namespace, nodes, offloadings, clock, logger } = deps;
  const address = { namespace, name: OFFLOADING_MAP };
  const present = async (): Promise<ConfigMap | undefined> => {
    try {
      return await client.get<ConfigMap>(CONFIG_MAPS, address);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };
  const controller = createController({
    name: 'offloading-map',
    clock,
    logger,
    reconcile: async () => {
      if (!nodes.synced || !offloadings.synced) return undefined;
      const data = offloadingMap(nodes.list(), offloadings.list());
      const found = await present();
      if (found === undefined || !isEqual(found.data ?? {}, data))
        await client.apply(CONFIG_MAPS, { metadata: address, data } as ConfigMap, { force: true });
      return { requeueAfterMs: LOOK_AGAIN_MS };
    },
  });
  for (const store of [nodes, offloadings]) {
    store.onChange((_key, after, before) => {
      if (after === undefined || before === undefined || store === offloadings) controller.enqueue(KEY);
    });
    void store.whenSynced().then(() => controller.enqueue(KEY));
  }
  return controller;
}
