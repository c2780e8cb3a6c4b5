import type { Container, Pod, ResourceList, ResourceRequirements } from '../kube-objects.ts';
import { formatQuantity, quantityFrom, styleOf } from './quantity.ts';

/** Amounts of resources in thousandths, by resource name. What is not there is zero. */
export type Amounts = Readonly<Record<string, bigint>>;

/** The amount of one resource; names such as `constructor` are nothing special. */
export function amountOf(amounts: Amounts, resource: string): bigint {
  return Object.hasOwn(amounts, resource) ? (amounts[resource] ?? 0n) : 0n;
}

/**
 * The amounts that a list tells. Never throws: what is no quantity, or less than nothing, counts as nothing, so that one spoiled
 * text is one resource that nobody gets. Where such a text would be to somebody's advantage it is refused before
 * (problemOfResources).
 */
export function amountsFrom(list: ResourceList | undefined): Amounts {
  return Object.fromEntries(
    Object.entries(list ?? {}).map(([name, text]) => [name, larger(quantityFrom(text) ?? 0n, 0n)]),
  );
}

export function toResourceList(amounts: Amounts): ResourceList {
  return Object.fromEntries(
    Object.entries(amounts).map(([name, milli]) => [name, formatQuantity(milli, styleOf(name))]),
  );
}

/** Work of the size of what is added, however many there are. */
export function add(...all: Amounts[]): Amounts {
  const sum = new Map<string, bigint>();
  for (const one of all) for (const [name, milli] of Object.entries(one)) sum.set(name, (sum.get(name) ?? 0n) + milli);
  return Object.fromEntries(sum);
}

export function subtract(a: Amounts, b: Amounts): Amounts {
  const difference = new Map(Object.entries(a));
  for (const [name, milli] of Object.entries(b)) difference.set(name, (difference.get(name) ?? 0n) - milli);
  return Object.fromEntries(difference);
}

/** Math.max does not take bigint. */
export function larger(left: bigint, right: bigint): bigint {
  if (left > right) return left;
  return right;
}

/** Only the resources that `a` names, never below zero. */
export function clampedTo(a: Amounts, value: Amounts): Amounts {
  return Object.fromEntries(Object.keys(a).map((name) => [name, larger(amountOf(value, name), 0n)]));
}

/**
 * What a pod counts for, as the scheduler computes it (k8s.io/component-helpers/resource, PodRequests): what its containers ask for
 * together, and overhead. Every pod counts for one of `pods`. Work of the size of the pod.
 */
export function podRequests(pod: Pod): Amounts {
  return { ...add(togetherOf(pod.spec, requestsOf, 'requests'), amountsFrom(pod.spec.overhead)), pods: 1000n };
}

/** What a kubelet shows of a pod as a whole in its status: what its containers ask for and may use together. */
export function podResources({ spec }: Pick<Pod, 'spec'>): ResourceRequirements {
  const requests = toResourceList(togetherOf(spec, requestsOf, 'requests'));
  const limits = toResourceList(togetherOf(spec, ({ resources }) => amountsFrom(resources?.limits), 'limits'));
  return {
    ...(Object.keys(requests).length === 0 ? {} : { requests }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
}

/**
 * The larger of the containers together with the sidecars, and each init container with the sidecars started before it. What is said
 * of the pod as a whole wins over the sum.
 */
function togetherOf(
  spec: Pod['spec'],
  amounts: (container: Container) => Amounts,
  said: 'requests' | 'limits',
): Amounts {
  const sidecars = new Map<string, bigint>();
  const peak = new Map<string, bigint>();
  for (const container of spec.initContainers ?? []) {
    for (const [name, milli] of Object.entries(amounts(container))) {
      const together = (sidecars.get(name) ?? 0n) + milli;
      if (container.restartPolicy === 'Always') sidecars.set(name, together);
      peak.set(name, larger(peak.get(name) ?? 0n, together));
    }
  }
  const running = add(Object.fromEntries(sidecars), ...(spec.containers ?? []).map(amounts));
  for (const [name, milli] of Object.entries(running)) peak.set(name, larger(peak.get(name) ?? 0n, milli));
  return { ...Object.fromEntries(peak), ...amountsFrom(spec.resources?.[said]) };
}

/** A limit without a request is a request too (API defaulting). */
function requestsOf(container: Container): Amounts {
  return { ...amountsFrom(container.resources?.limits), ...amountsFrom(container.resources?.requests) };
}
