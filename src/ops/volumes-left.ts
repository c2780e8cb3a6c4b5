import { counted, listed } from '../core/explain/age.ts';
import type { KubeObject } from '../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../core/labels.ts';
import { finalizersWith } from '../core/volume/claim-step.ts';
import { type PersistentVolume, placeOfVolume, VOLUME_FINALIZER } from '../core/volume/volume-objects.ts';
import { isNotFound } from '../kube/api-error.ts';
import type { KubeClient } from '../kube/client.ts';
import { NAMESPACES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, type ResourceType } from '../kube/resources.ts';
import { findAll, type Removal } from './removal.ts';

/** What an uninstalled headcut leaves of volumes: nobody's data goes with it. */

/** Twin namespaces without data of others. */
export async function emptyTwins(client: KubeClient): Promise<Removal> {
  const query = { labelSelector: ORIGIN_CLUSTER_LABEL };
  const claims = await findAll(client, { type: PERSISTENT_VOLUME_CLAIMS, query });
  const holding = new Set(claims.map(({ metadata }) => metadata.namespace));
  return { type: NAMESPACES, query, matches: ({ metadata }) => !holding.has(metadata.name) };
}

/** After the agent: what only it would have taken its hand off. Tells what is left. */
export async function letVolumesGo(client: KubeClient, note: (text: string) => void): Promise<void> {
  const claims = await findAll(client, { type: PERSISTENT_VOLUME_CLAIMS });
  const volumes = (await findAll(client, { type: PERSISTENT_VOLUMES })) as PersistentVolume[];
  await letGo(client, PERSISTENT_VOLUME_CLAIMS, claims);
  await letGo(client, PERSISTENT_VOLUMES, volumes);
  const abroad = volumes.filter((volume) => placeOfVolume(volume) !== undefined);
  if (abroad.length > 0) {
    const of = abroad.map(({ spec: { claimRef } }) => `${claimRef?.namespace}/${claimRef?.name}`);
    note(`the data of ${counted(of.length, 'claim')} is on peers, which keep it for a while: ${listed(of)}`);
  }
  const guests = claims.filter(({ metadata }) => metadata.labels?.[ORIGIN_CLUSTER_LABEL] !== undefined);
  const twins = [...new Set(guests.map(({ metadata }) => metadata.namespace ?? ''))];
  if (twins.length > 0)
    note(
      `data of other members stays here, in ${counted(twins.length, 'namespace')}, until somebody deletes these: ${listed(twins)}`,
    );
}

async function letGo(client: KubeClient, type: ResourceType, objects: readonly KubeObject[]): Promise<void> {
  for (const { metadata } of objects) {
    if (metadata.finalizers?.includes(VOLUME_FINALIZER) !== true) continue;
    const { namespace, name } = metadata;
    const patch = { metadata: { finalizers: finalizersWith(metadata, false) } };
    await client.patch(type, { namespace, name }, patch).catch((error) => {
      if (!isNotFound(error)) throw error;
    });
  }
}
