import type { Container, Pod, ResourceList, ResourceRequirements } from '../kube-objects.ts';
import { quantityFrom } from './quantity.ts';

/** What another cluster may tell of resources: how many, with which names and texts. Checked before anything is computed of it. */

/** Containers of one pod, those of all kinds together. */
export const MAX_CONTAINERS = 200;
/** Resources in one list: cpu, memory and what devices a node may have. */
export const MAX_RESOURCES = 32;
/** A qualified name: a DNS name, a slash, a name. */
export const MAX_RESOURCE_NAME = 317;
export const RESOURCE_NAME_PATTERN = '^[A-Za-z0-9]([A-Za-z0-9_./-]*[A-Za-z0-9])?$';

const NAME = new RegExp(RESOURCE_NAME_PATTERN);

/** Why a list of resources cannot be one that an API server stores or a node offers; undefined when it can. */
export function problemOfResources(list: ResourceList | undefined): string | undefined {
  if (list === undefined || list === null) return undefined;
  if (typeof list !== 'object') return 'a list of resources is not an object';
  const entries = Object.entries(list);
  if (entries.length > MAX_RESOURCES) return `${entries.length} resources in one list, ${MAX_RESOURCES} are allowed`;
  for (const [name, text] of entries) {
    if (name.length > MAX_RESOURCE_NAME || !NAME.test(name))
      return `"${name.slice(0, 64)}" is not the name of a resource`;
    const milli = quantityFrom(text);
    if (milli === undefined) return `the amount of ${name} is not a Kubernetes quantity`;
    if (milli < 0n) return `the amount of ${name} is negative`;
  }
  return undefined;
}

/** Why the resources of a pod that another cluster sends are not taken; undefined when they are. It stops at the first problem. */
export function problemOfPodResources(pod: Pod): string | undefined {
  const { containers, initContainers, ephemeralContainers, resources, overhead } = pod.spec;
  const all = [...listOf(containers), ...listOf(initContainers), ...listOf(ephemeralContainers)];
  if (all.length > MAX_CONTAINERS) return `${all.length} containers, ${MAX_CONTAINERS} are allowed`;
  for (const container of all) {
    const problem = problemOfRequirements(container?.resources);
    if (problem !== undefined) return `container ${nameOf(container)}: ${problem}`;
  }
  return problemOfRequirements(resources) ?? problemOfResources(overhead);
}

function problemOfRequirements(resources: ResourceRequirements | undefined): string | undefined {
  return problemOfResources(resources?.requests) ?? problemOfResources(resources?.limits);
}

function listOf(containers: Container[] | undefined): Container[] {
  return Array.isArray(containers) ? containers : [];
}

/** What is no text may be anything, also what cannot be made one. */
function nameOf({ name }: { name?: unknown }): string {
  return typeof name === 'string' ? name.slice(0, 63) : 'without a name';
}
