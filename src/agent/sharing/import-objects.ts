import type { KubeObject } from '../../core/kube-objects.ts';
import type { EndpointSlice, Service } from '../../core/service/service-objects.ts';
import { importChange, serviceChange, sliceChange } from '../../core/sharing/object-changes.ts';
import { isOtherKind, type WantedImport } from '../../core/sharing/plan-import.ts';
import {
  derivedName,
  IMPORT_LABEL,
  isOurs,
  type ServiceExport,
  type ServiceImport,
  SHARED_NAME_LABEL,
} from '../../core/sharing/sharing-objects.ts';
import { ApiError, ignoreGone, isAlreadyExists, isConflict, isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { ENDPOINT_SLICES, type ResourceType, SERVICE_IMPORTS, SERVICES } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import { WrittenObjects } from '../../kube/written-objects.ts';

export interface ImportObjectsDeps {
  client: Pick<KubeClient, 'get' | 'create' | 'patch' | 'replace' | 'delete'>;
  services: Store<Service>;
  slices: Store<EndpointSlice>;
  imports: Store<ServiceImport>;
  exports: Store<ServiceExport>;
  /** Told of an import whose objects are others than was thought. */
  onStale(key: string): void;
}

/** Writes the objects of imports, and nothing where they are as they should be; what was just written counts, not what the watch knows. */
export class ImportObjects {
  readonly #deps: ImportObjectsDeps;
  readonly #services: WrittenObjects<Service>;
  readonly #slices: WrittenObjects<EndpointSlice>;
  readonly #imports: WrittenObjects<ServiceImport>;
  readonly #exports: WrittenObjects<ServiceExport>;

  constructor(deps: ImportObjectsDeps) {
    this.#deps = deps;
    this.#services = new WrittenObjects(deps.services);
    this.#slices = new WrittenObjects(deps.slices);
    this.#imports = new WrittenObjects(deps.imports);
    this.#exports = new WrittenObjects(deps.exports);
  }

  /** What there is of an import. */
  of(namespace: string, name: string): { serviceImport?: ServiceImport; service?: Service; slices: EndpointSlice[] } {
    const serviceImport = this.#imports.get(`${namespace}/${name}`);
    const service = this.#services.get(`${namespace}/${derivedName(name)}`);
    const slices = this.#slices.list(namespace).filter(({ metadata }) => metadata.labels?.[SHARED_NAME_LABEL] === name);
    return {
      ...(serviceImport === undefined ? {} : { serviceImport }),
      ...(service === undefined ? {} : { service }),
      slices: slices.filter(isOurs),
    };
  }

  export(key: string): ServiceExport | undefined {
    return this.#exports.get(key);
  }

  /**
   * Makes the derived Service and the slices what they are to be, the slices also where the Service stays as it was. Gives the
   * Service; undefined where it may not be so.
   */
  async put(
    { namespace, name }: { namespace: string; name: string },
    { service: wanted, slices }: WantedImport,
  ): Promise<Service | undefined> {
    const present = this.of(namespace, name);
    const service = await this.#putService(present.service, wanted);
    const isThere = service !== undefined || this.of(namespace, name).service?.metadata.labels?.[IMPORT_LABEL] === name;
    const written = isThere ? slices : [];
    const names = new Set(written.map(({ metadata }) => metadata.name));
    await this.putSlices({ namespace, name }, written);
    await this.deleteSlices(present.slices.filter(({ metadata }) => !names.has(metadata.name)));
    return service;
  }

  /** Makes these slices what they are to be, and no others. */
  async putSlices(
    { namespace, name }: { namespace: string; name: string },
    slices: readonly EndpointSlice[],
  ): Promise<void> {
    const there = new Map(this.of(namespace, name).slices.map((slice) => [slice.metadata.name, slice]));
    for (const slice of slices) await this.#putSlice(there.get(slice.metadata.name), slice);
  }

  /** @returns the import as it is; undefined where it may not be */
  async putImport(wanted: ServiceImport): Promise<ServiceImport | undefined> {
    const { namespace = '', name } = wanted.metadata;
    const present = this.#imports.get(`${namespace}/${name}`);
    if (present === undefined) return this.#create(this.#imports, SERVICE_IMPORTS, wanted, isOurs);
    // It may have come since the plan was made.
    if (!isOurs(present)) return undefined;
    const change = importChange(present, wanted);
    if (change === undefined) return present;
    return this.#patch(this.#imports, SERVICE_IMPORTS, present, change);
  }

  async sayOfImport({ metadata: { namespace, name } }: ServiceImport, status: object): Promise<void> {
    const address = { namespace, name, subresource: 'status' };
    const after = await this.#deps.client
      .patch<ServiceImport>(SERVICE_IMPORTS, address, { status })
      .catch((error: unknown) => void ignoreGone(error));
    if (after !== undefined) this.#imports.note(after);
  }

  async sayOfExport(
    type: ResourceType,
    { metadata: { namespace, name } }: ServiceExport,
    status: object,
  ): Promise<void> {
    const address = { namespace, name, subresource: 'status' };
    const after = await this.#deps.client
      .patch<ServiceExport>(type, address, { status })
      .catch((error: unknown) => void ignoreGone(error));
    if (after !== undefined) this.#exports.note(after);
  }

  /** All of an import; the import itself goes last, so that what is left of it is found again. */
  async remove(namespace: string, name: string): Promise<void> {
    await this.removeDerived(namespace, name);
    const { serviceImport } = this.of(namespace, name);
    if (serviceImport !== undefined && isOurs(serviceImport))
      await this.#delete(this.#imports, SERVICE_IMPORTS, serviceImport);
  }

  /** Its Service and its slices, where they are ours. */
  async removeDerived(namespace: string, name: string): Promise<void> {
    const { service, slices } = this.of(namespace, name);
    await this.deleteSlices(slices);
    if (service?.metadata.labels?.[IMPORT_LABEL] === name) await this.#delete(this.#services, SERVICES, service);
  }

  async deleteSlices(slices: readonly EndpointSlice[]): Promise<void> {
    for (const slice of slices) await this.#delete(this.#slices, ENDPOINT_SLICES, slice);
  }

  async #putService(present: Service | undefined, wanted: Service): Promise<Service | undefined> {
    const isDerived = ({ metadata }: KubeObject): boolean =>
      metadata.labels?.[IMPORT_LABEL] === wanted.metadata.labels?.[IMPORT_LABEL];
    if (present !== undefined && !isDerived(present)) return undefined;
    if (present !== undefined && isOtherKind(present, wanted)) {
      await this.#delete(this.#services, SERVICES, present);
      return this.#create(this.#services, SERVICES, wanted, isDerived);
    }
    if (present === undefined) return this.#create(this.#services, SERVICES, wanted, isDerived);
    const change = serviceChange(present, wanted);
    return change === undefined ? present : this.#patch(this.#services, SERVICES, present, change);
  }

  async #putSlice(present: EndpointSlice | undefined, wanted: EndpointSlice): Promise<void> {
    if (present === undefined) {
      await this.#create(this.#slices, ENDPOINT_SLICES, wanted, isOurs);
      return;
    }
    const change = sliceChange(present, wanted);
    if (change === undefined) return;
    try {
      this.#slices.note(await this.#deps.client.replace(ENDPOINT_SLICES, change));
    } catch (error) {
      this.#slices.forget(present);
      if (!isConflict(error) && !isNotFound(error)) throw error;
      this.#stale(present);
    }
  }

  /** @param isMine whether what has the name already is what is wanted, which the watch has not told yet */
  async #create<T extends KubeObject>(
    written: WrittenObjects<T>,
    type: ResourceType,
    object: T,
    isMine: (object: KubeObject) => boolean,
  ): Promise<T | undefined> {
    try {
      const made = await this.#deps.client.create(type, object);
      written.note(made);
      return made;
    } catch (error) {
      if (isAlreadyExists(error)) return this.#adopt(written, type, object, isMine);
      // Quota, another rule of the cluster, or a namespace that is being deleted: asking again at once does not help.
      if (error instanceof ApiError && (error.status === 403 || error.status === 404 || error.status === 422))
        return undefined;
      throw error;
    }
  }

  async #adopt<T extends KubeObject>(
    written: WrittenObjects<T>,
    type: ResourceType,
    { metadata: { namespace, name } }: T,
    isMine: (object: KubeObject) => boolean,
  ): Promise<T | undefined> {
    const existing = await this.#deps.client.get<T>(type, { namespace, name });
    if (!isMine(existing)) return undefined;
    written.note(existing);
    this.#stale(existing);
    return existing;
  }

  async #patch<T extends KubeObject>(
    written: WrittenObjects<T>,
    type: ResourceType,
    present: T,
    change: object,
  ): Promise<T | undefined> {
    const { namespace, name } = present.metadata;
    try {
      const after = await this.#deps.client.patch<T>(type, { namespace, name }, change);
      written.note(after);
      return after;
    } catch (error) {
      written.forget(present);
      if (error instanceof ApiError && (error.status === 403 || error.status === 422)) return undefined;
      // Also where it is gone meanwhile: it is made anew as soon as that is known here.
      throw error;
    }
  }

  async #delete<T extends KubeObject>(written: WrittenObjects<T>, type: ResourceType, object: T): Promise<void> {
    const { namespace, name, uid } = object.metadata;
    await this.#deps.client.delete(type, { namespace, name }, uid === undefined ? {} : { uid }).catch(ignoreGone);
    written.noteDeleted(object);
  }

  #stale({ metadata: { namespace = '', name, labels } }: KubeObject): void {
    this.#deps.onStale(`${namespace}/${labels?.[IMPORT_LABEL] ?? labels?.[SHARED_NAME_LABEL] ?? name}`);
  }
}
