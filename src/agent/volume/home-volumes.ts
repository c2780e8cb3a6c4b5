import { homeClassOf, type StorageSettings } from '../../core/volume/guest-volume.ts';
import {
  companionName,
  forgottenPolicy,
  type HomeStep,
  isCompanionOf,
  isStillFor,
  nextHomeStep,
  toCompanion,
  withdrawHomeStep,
} from '../../core/volume/home-step.ts';
import {
  CLAIM_NAME_ANNOTATION,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '../../core/volume/volume-objects.ts';
import { ignoreGone, isAlreadyExists, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';

export interface HomeVolumesDeps {
  client: Pick<KubeClient, 'get' | 'list' | 'create' | 'patch' | 'delete'>;
  claims: Store<PersistentVolumeClaim>;
  volumes: Store<PersistentVolume>;
  classes: Store<StorageClass>;
  settings(): StorageSettings | undefined;
  /** The agent's own namespace, in which companions are. */
  namespace: string;
}

/** `elsewhere`: nothing can be made on that node. */
type HomeResult = { type: 'done' } | { type: 'working' } | { type: 'problem' | 'elsewhere'; message: string };

/** Makes volumes of this cluster's own for claims of ours that stay here (core/volume/home-step). */
export class HomeVolumes {
  readonly #deps: HomeVolumesDeps;

  constructor(deps: HomeVolumesDeps) {
    this.#deps = deps;
  }

  /** The key of the claim that a companion is for. */
  ownerOf(companion: PersistentVolumeClaim | undefined): string | undefined {
    if (companion?.metadata.namespace !== this.#deps.namespace) return undefined;
    return companion.metadata.annotations?.[CLAIM_NAME_ANNOTATION];
  }

  /** The key of the claim for which a volume is being made. */
  ownerOfVolume(volume: PersistentVolume | undefined): string | undefined {
    const { namespace, name } = volume?.spec.claimRef ?? {};
    if (namespace !== this.#deps.namespace) return undefined;
    return this.ownerOf(this.#deps.claims.get(`${namespace}/${name}`));
  }

  /** One step further. @param node of this cluster, that the scheduler chose */
  async step(claim: PersistentVolumeClaim, node: string): Promise<HomeResult> {
    const observed = await this.#observe(claim);
    const storageClass = this.#deps.classes.get(claim.spec.storageClassName ?? '');
    const step = nextHomeStep({ claim, storageClass, ...observed });
    if (step.type !== 'make-companion') return this.#take(step, observed);
    const made = homeClassOf(this.#deps.classes.list(), this.#deps.settings());
    if (made === undefined)
      return {
        type: 'problem',
        message:
          'this cluster has no StorageClass for volumes that stay here: make one the default, or name it in spec.storage.homeClass of the Federation',
      };
    const companion = toCompanion(claim, { namespace: this.#deps.namespace, class: made, node });
    await this.#deps.client.create(PERSISTENT_VOLUME_CLAIMS, companion).catch((error) => {
      if (!isAlreadyExists(error)) throw error;
    });
    return { type: 'working' };
  }

  /** What was made for a claim that goes, or goes elsewhere, is taken back. */
  async withdraw(claim: PersistentVolumeClaim): Promise<HomeResult> {
    const observed = await this.#observe(claim);
    return this.#take(withdrawHomeStep({ claim, ...observed }), observed);
  }

  /** A volume that was held, and whose claim is gone, is not held for ever. */
  async restorePolicy(volume: PersistentVolume): Promise<void> {
    const step = forgottenPolicy(volume);
    if (step !== undefined) await this.#take(step, { companion: undefined, volume });
  }

  async #take(
    step: HomeStep,
    { companion, volume }: { companion: PersistentVolumeClaim | undefined; volume: PersistentVolume | undefined },
  ): Promise<HomeResult> {
    const { client } = this.#deps;
    switch (step.type) {
      case 'done':
        return step;
      case 'delete-companion':
        await this.#delete(companion);
        return { type: 'working' };
      case 'give-up': {
        await this.#delete(companion);
        const { namespace, name } = companion?.metadata ?? {};
        const message = `the provisioner of class ${companion?.spec.storageClassName} cannot make the volume on the node that was chosen; the events of claim ${namespace}/${name} say why`;
        return { type: 'elsewhere', message };
      }
      case 'hold-volume':
      case 'hand-over':
      case 'give-policy': {
        const { name = '', resourceVersion } = volume?.metadata ?? {};
        const { metadata = {}, ...patch } = step.patch as { metadata?: object };
        // Only the volume that was looked at: it is under the policy Retain, or not, as was seen.
        await client.patch(PERSISTENT_VOLUMES, { name }, { ...patch, metadata: { ...metadata, resourceVersion } });
        return { type: 'working' };
      }
      case 'make-companion':
      case 'wait':
        return { type: 'working' };
    }
  }

  async #delete(companion: PersistentVolumeClaim | undefined): Promise<void> {
    const { namespace, name = '', uid } = companion?.metadata ?? {};
    await this.#deps.client
      .delete(PERSISTENT_VOLUME_CLAIMS, { namespace, name }, uid === undefined ? {} : { uid })
      .catch(ignoreGone);
  }

  /** From the API server itself: what is deleted by it, and handed over, must not be decided by what was once so. */
  async #observe(claim: PersistentVolumeClaim) {
    const { client, namespace, volumes } = this.#deps;
    const { uid = '' } = claim.metadata;
    const found = await find<PersistentVolumeClaim>(
      client.get(PERSISTENT_VOLUME_CLAIMS, { namespace, name: companionName(uid) }),
    );
    const companion = found !== undefined && isCompanionOf(found, claim) ? found : undefined;
    const held = volumes.list().find((volume) => isStillFor(volume, claim));
    const name = companion?.spec.volumeName ?? held?.metadata.name ?? '';
    const seen = name === '' ? undefined : await find<PersistentVolume>(client.get(PERSISTENT_VOLUMES, { name }));
    const isFor = seen !== undefined && (name === companion?.spec.volumeName || isStillFor(seen, claim));
    const companionClass = this.#deps.classes.get(companion?.spec.storageClassName ?? '');
    return { companion, companionClass, volume: isFor ? seen : undefined };
  }
}

async function find<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
