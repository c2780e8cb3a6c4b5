import { CodedError } from '../../core/coded-error.ts';
import { graceSeconds } from '../../core/guest-pod/guest-container.ts';
import type { GuestTerms } from '../../core/guest-pod/guest-terms.ts';
import { objectKey, type Pod, parseObjectKey } from '../../core/kube-objects.ts';
import type { ShadowPod } from '../../core/shadow-pod/shadow-pod.ts';
import { type PodSurroundings, translatePod } from '../../core/shadow-pod/translate-pod.ts';
import { ignoreGone, isAlreadyExists } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { PODS } from '../../kube/resources.ts';

export interface RealPodsDeps {
  client: Pick<KubeClient, 'create' | 'delete'>;
  /** Undefined while it is not known, or what pods need of it is not installed. */
  surroundings(): PodSurroundings | undefined;
  /** What guests may have here. */
  terms(): GuestTerms;
}

/** The pods of this cluster that are made from shadow pods. */
export class RealPods {
  readonly #deps: RealPodsDeps;

  constructor(deps: RealPodsDeps) {
    this.#deps = deps;
  }

  /** Throws Unavailable while it is not known. */
  surroundings(): PodSurroundings {
    const surroundings = this.#deps.surroundings();
    if (surroundings !== undefined) return { ...surroundings, terms: this.#deps.terms() };
    throw new CodedError(
      'Unavailable',
      'the Service headcut-dns is not known on the provider; are its manifests applied?',
    );
  }

  /** The pod as it is made here. Throws Unavailable while what it needs is not known. */
  madeOf(shadow: ShadowPod): Pod {
    return translatePod(shadow, this.surroundings());
  }

  /** Has the API server judge the pod (pod security, quota, validation) without making it. False: there is one of its name. */
  tryOut(shadow: ShadowPod): Promise<boolean> {
    return this.#create(shadow, { dryRun: true });
  }

  async create(shadow: ShadowPod): Promise<void> {
    await this.#create(shadow, {});
  }

  async delete(shadow: ShadowPod, uid: string, gracePeriodSeconds: number | undefined): Promise<void> {
    const { terminationGracePeriodSeconds: own } = shadow.spec.pod.spec;
    const seconds = graceSeconds(gracePeriodSeconds, own, this.#deps.terms());
    const grace = seconds === undefined ? {} : { gracePeriodSeconds: seconds };
    await this.#deps.client.delete(PODS, parseObjectKey(objectKey(shadow)), { uid, ...grace }).catch(ignoreGone);
  }

  async #create(shadow: ShadowPod, options: { dryRun?: boolean }): Promise<boolean> {
    try {
      await this.#deps.client.create(PODS, this.madeOf(shadow), options);
      return true;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return false;
    }
  }
}
