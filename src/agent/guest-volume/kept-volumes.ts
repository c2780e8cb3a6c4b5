import { objectKey } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../../core/labels.ts';
import { planKept } from '../../core/volume/kept-volume.ts';
import { LEFT_AT_ANNOTATION, type PersistentVolumeClaim } from '../../core/volume/volume-objects.ts';
import { ignoreGone } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PERSISTENT_VOLUME_CLAIMS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { HomeContact } from '../ports.ts';

export interface KeptVolumesDeps {
  client: Pick<KubeClient, 'patch' | 'delete'>;
  claims: Store<PersistentVolumeClaim>;
  homes: Pick<HomeContact, 'goneForMs' | 'onChange'>;
  /** How long data stays whose home is no member any more. */
  keepMs(): number;
  /** Resolves when the stored members were read. */
  membersKnown(): Promise<void>;
  clock: Clock;
  logger: Logger;
}

/** Data of members that left stays for a set time, which a restart of the agent does not begin anew. Keyed by claim. */
export function createKeptVolumes(deps: KeptVolumesDeps): {
  controller: Controller;
  run(signal: AbortSignal): Promise<void>;
} {
  const { claims, homes, membersKnown, clock, logger } = deps;
  const controller = createController({
    name: 'kept-volumes',
    clock,
    logger,
    reconcile: (key) => reconcile(deps, key),
  });
  const ownerOf = (claim: PersistentVolumeClaim | undefined) => claim?.metadata.labels?.[ORIGIN_CLUSTER_LABEL];
  claims.onChange((key, after) => {
    if (ownerOf(after) !== undefined) controller.enqueue(key);
  });
  homes.onChange((cluster) => {
    for (const claim of claims.list()) if (ownerOf(claim) === cluster) controller.enqueue(objectKey(claim));
  });
  return {
    controller,
    async run(signal) {
      // Until then each home looks like a member, and since when it has been none would be forgotten.
      await Promise.all([claims.whenSynced(), membersKnown()]);
      for (const claim of claims.list()) if (ownerOf(claim) !== undefined) controller.enqueue(objectKey(claim));
      await controller.run(signal);
    },
  };
}

async function reconcile(
  { client, claims, homes, keepMs, clock, logger }: KeptVolumesDeps,
  key: string,
): Promise<ReconcileResult> {
  const claim = claims.get(key);
  const cluster = claim?.metadata.labels?.[ORIGIN_CLUSTER_LABEL];
  if (claim === undefined || cluster === undefined || claim.metadata.deletionTimestamp !== undefined) return undefined;
  const plan = planKept(claim, { isGone: homes.goneForMs(cluster) !== undefined, keepMs: keepMs(), now: clock.now() });
  const { namespace, name, uid } = claim.metadata;
  switch (plan.type) {
    case 'note':
    case 'forget': {
      const value = plan.type === 'note' ? plan.leftAt : null;
      const patch = { metadata: { annotations: { [LEFT_AT_ANNOTATION]: value } } };
      await client.patch(PERSISTENT_VOLUME_CLAIMS, { namespace, name }, patch).catch(ignoreGone);
      return undefined;
    }
    case 'delete':
      logger.info({ claim: key, cluster }, 'a volume of a cluster that is no member any more was kept long enough');
      await client
        .delete(PERSISTENT_VOLUME_CLAIMS, { namespace, name }, uid === undefined ? {} : { uid })
        .catch(ignoreGone);
      return undefined;
    case 'wait':
      return plan.ms === undefined ? undefined : { requeueAfterMs: plan.ms };
  }
}
