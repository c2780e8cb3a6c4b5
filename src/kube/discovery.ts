import type { KubeObject } from '../core/kube-objects.ts';
import { isNotFound } from './api-error.ts';
import type { KubeClient } from './client.ts';
import type { ResourceType } from './resources.ts';

interface ApiResource {
  name: string;
  kind: string;
  namespaced: boolean;
}

/** Finds out how the API server addresses objects of any kind; asks once for each group and version. */
export class Discovery {
  readonly #client: Pick<KubeClient, 'request'>;
  readonly #known = new Map<string, Promise<ApiResource[]>>();

  constructor(client: Pick<KubeClient, 'request'>) {
    this.#client = client;
  }

  /** Undefined when the API server does not serve the kind. */
  async typeOf({ apiVersion = '', kind = '' }: KubeObject): Promise<ResourceType | undefined> {
    const resources = await this.#resources(apiVersion);
    const found = resources.find((one) => one.kind === kind && !one.name.includes('/'));
    if (found === undefined) return undefined;
    const slash = apiVersion.indexOf('/');
    return {
      group: slash < 0 ? '' : apiVersion.slice(0, slash),
      version: apiVersion.slice(slash + 1),
      plural: found.name,
      kind,
      namespaced: found.namespaced,
    };
  }

  #resources(apiVersion: string): Promise<ApiResource[]> {
    let known = this.#known.get(apiVersion);
    if (known === undefined) {
      known = this.#ask(apiVersion);
      this.#known.set(apiVersion, known);
      // Whoever asks again gets another answer.
      known.catch(() => this.#known.delete(apiVersion));
    }
    return known;
  }

  async #ask(apiVersion: string): Promise<ApiResource[]> {
    const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    try {
      return ((await this.#client.request('GET', path)) as { resources: ApiResource[] }).resources;
    } catch (error) {
      if (isNotFound(error)) return [];
      throw error;
    }
  }
}
