import type {
  Container,
  ContainerStatus,
  PodSpec,
  PodStatus,
  ResourceList,
  ResourceRequirements,
  Volume,
} from '../kube-objects.ts';
import { type Amounts, add, amountOf, amountsFrom, larger, toResourceList } from '../quantities/resources.ts';

/**
 * Guests that ask for nothing get something: a limit, and for what cannot be taken back (memory, disk) the same as a request, so that
 * what all of them may use is counted before it is used. Time of a CPU can be shared: there the limit is all.
 */

/** A container that asks for some, without an end, may use this many times as much. */
const BURST = 2n;

/** @param limits what a container gets of a resource that it does not name; resources that are missing here have no bound */
export function boundedSpec(spec: PodSpec, limits: ResourceList): PodSpec {
  const { containers, initContainers, resources } = spec;
  const bounded: PodSpec = {
    ...spec,
    containers: containers.map((one) => boundedContainer(one, resources, limits)),
    ...(initContainers === undefined
      ? {}
      : { initContainers: initContainers.map((one) => boundedContainer(one, resources, limits)) }),
    ...(resources?.requests === undefined ? {} : { resources: withLimits(resources, limits) }),
  };
  return bounded.volumes === undefined ? bounded : { ...bounded, volumes: withSizes(bounded, bounded.volumes) };
}

function boundedContainer(
  container: Container,
  ofPod: ResourceRequirements | undefined,
  limits: ResourceList,
): Container {
  const missing = Object.entries(limits).filter(([name]) => {
    const { resources } = container;
    const said = resources?.limits?.[name] ?? resources?.requests?.[name];
    return said === undefined && ofPod?.limits?.[name] === undefined && ofPod?.requests?.[name] === undefined;
  });
  const given = Object.fromEntries(missing) as ResourceList;
  const requests = Object.fromEntries(missing.map(([name, amount]) => [name, name === 'cpu' ? '0' : amount]));
  const own = withLimits(container.resources ?? {}, limits);
  const resources: ResourceRequirements = {
    ...own,
    limits: { ...own.limits, ...given },
    requests: { ...own.requests, ...requests },
  };
  return missing.length === 0 && own === container.resources ? container : { ...container, resources };
}

/** A limit for what is asked for without one. */
function withLimits(resources: ResourceRequirements, limits: ResourceList): ResourceRequirements {
  const open = Object.entries(resources.requests ?? {}).filter(
    ([name]) => name !== 'cpu' && limits[name] !== undefined && resources.limits?.[name] === undefined,
  );
  if (open.length === 0) return resources;
  const asked = amountsFrom(Object.fromEntries(open) as ResourceList);
  const least = amountsFrom(limits);
  const burst = open.map(([name]) => [name, larger(amountOf(asked, name) * BURST, amountOf(least, name))]);
  return { ...resources, limits: { ...resources.limits, ...toResourceList(Object.fromEntries(burst)) } };
}

/** Volumes of the pod itself hold no more than its containers may use. */
function withSizes(spec: PodSpec, volumes: Volume[]): Volume[] {
  const limits = limitsOf(spec);
  return volumes.map((volume) => {
    const { medium = '', sizeLimit } = (volume.emptyDir ?? {}) as { medium?: string; sizeLimit?: unknown };
    const resource = medium === 'Memory' ? 'memory' : 'ephemeral-storage';
    const limit = medium === '' || medium === 'Memory' ? limits[resource] : undefined;
    if (volume.emptyDir === undefined || sizeLimit !== undefined || limit === undefined) return volume;
    return { ...volume, emptyDir: { ...volume.emptyDir, sizeLimit: limit } };
  });
}

/** Limits of the pod as a whole, of resources that each of its containers has one for. */
function limitsOf({ containers, initContainers = [], resources }: PodSpec): ResourceList {
  const limitOf = (container: Container): Amounts => amountsFrom(container.resources?.limits);
  const first = limitOf(containers[0] ?? { name: '' });
  const bounded = Object.keys(first).filter((name) => containers.every((one) => amountOf(limitOf(one), name) > 0n));
  const running = add(...containers.map(limitOf));
  const sums = Object.fromEntries(
    bounded.map((name) => [
      name,
      initContainers.map((one) => amountOf(limitOf(one), name)).reduce(larger, amountOf(running, name)),
    ]),
  );
  return { ...toResourceList(sums), ...resources?.limits };
}

/** The status as the pod's home knows the pod: without what it did not ask for itself. */
export function withoutGivenLimits(status: PodStatus, { containers, initContainers = [] }: PodSpec): PodStatus {
  const own = new Map([...containers, ...initContainers].map((one) => [one.name, one.resources]));
  const strip = (statuses: ContainerStatus[]): ContainerStatus[] =>
    statuses.map((one) => (own.has(one.name) ? stripped(one, own.get(one.name)) : one));
  const { containerStatuses, initContainerStatuses } = status;
  return {
    ...status,
    ...(containerStatuses === undefined ? {} : { containerStatuses: strip(containerStatuses) }),
    ...(initContainerStatuses === undefined ? {} : { initContainerStatuses: strip(initContainerStatuses) }),
  };
}

function stripped(status: ContainerStatus, own: ResourceRequirements | undefined): ContainerStatus {
  const { resources, allocatedResources, ...rest } = status as ContainerStatus & {
    resources?: ResourceRequirements;
    allocatedResources?: ResourceList;
  };
  const requests = only(resources?.requests, { ...own?.limits, ...own?.requests });
  const limits = only(resources?.limits, own?.limits);
  const allocated = only(allocatedResources, { ...own?.limits, ...own?.requests });
  return {
    ...rest,
    ...(allocated === undefined ? {} : { allocatedResources: allocated }),
    ...(resources === undefined
      ? {}
      : {
          resources: {
            ...(limits === undefined ? {} : { limits }),
            ...(requests === undefined ? {} : { requests }),
          },
        }),
  };
}

/** The entries whose names `like` has too; undefined when there are none. */
function only(list: ResourceList | undefined, like: ResourceList | undefined): ResourceList | undefined {
  const entries = Object.entries(list ?? {}).filter(([name]) => like?.[name] !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
