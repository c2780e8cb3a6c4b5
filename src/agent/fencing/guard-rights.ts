import { MANAGED_BY, MANAGED_BY_LABEL } from '../../core/labels.ts';
import type { ShadowPod } from '../../core/shadow-pod/shadow-pod.ts';
import { isAlreadyExists, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ROLE_BINDINGS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';

export interface GuardRightsDeps {
  client: Pick<KubeClient, 'get' | 'create'>;
  shadowPods: Store<ShadowPod>;
  /** Of the agent and of the guard. */
  namespace: string;
  clock: Clock;
  logger: Logger;
}

/** The ClusterRole and the ServiceAccount of the guard of fenced pods (manifests/). */
const GUARD_ROLE = 'headcut-twin-fence';
const GUARD_ACCOUNT = 'headcut-fence';

/** Lets the guard of fenced pods delete pods in the twin namespaces that have fenced ones, and nowhere else. */
export function createGuardRights({ client, shadowPods, namespace, clock, logger }: GuardRightsDeps): Controller {
  const isFenced = ({ spec }: ShadowPod): boolean => spec.fencing !== undefined;
  const controller = createController({
    name: 'guard-rights',
    clock,
    logger,
    reconcile: async (twin) => {
      const here = shadowPods.list().filter(({ metadata }) => metadata.namespace === twin);
      if (here.some(isFenced)) await bind(client, twin, namespace);
    },
  });
  shadowPods.onChange((_key, after, before) => {
    const twin = after?.metadata.namespace;
    if (before === undefined && after !== undefined && twin !== undefined && isFenced(after)) controller.enqueue(twin);
  });
  return controller;
}

async function bind(client: GuardRightsDeps['client'], twin: string, namespace: string): Promise<void> {
  const address = { namespace: twin, name: GUARD_ROLE };
  try {
    await client.get(ROLE_BINDINGS, address);
    return;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  const binding = {
    metadata: { ...address, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: GUARD_ROLE },
    subjects: [{ kind: 'ServiceAccount', name: GUARD_ACCOUNT, namespace }],
  };
  await client.create(ROLE_BINDINGS, binding).catch((error) => {
    if (!isAlreadyExists(error)) throw error;
  });
}
