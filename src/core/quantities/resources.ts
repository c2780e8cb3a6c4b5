import type { Container, Pod, ResourceList } from '../kube-objects.ts';
import { formatQuantity, parseQuantity, styleOf } from './quantity.ts';

/** Amounts of resources in thousandths, by resource name. What is not there is zero. */
export type Amounts = Readonly<Record<string, bigint>>;

export function amountsFrom(list: ResourceList | undefined): Amounts {
  return Object.fromEntries(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
}

export function toResourceList(amounts: Amounts): ResourceList {
  return Object.fromEntries(
    Object.entries(amounts).map(([name, milli]) => [name, formatQuantity(milli, styleOf(name))]),
  );
}

function combine(a: Amounts, b: Amounts, of: (left: bigint, right: bigint) => bigint): Amounts {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, of(a[name] ?? 0n, b[name] ?? 0n)]));
}

export function add(...all: Amounts[]): Amounts {
  return all.reduce((sum, one) => combine(sum, one, (left, right) => left + right), {});
}

export function subtract(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, (left, right) => left - right);
}

/** Math.max does not take bigint. */
function larger(left: bigint, right: bigint): bigint {
  if (left > right) return left;
  return right;
}

export function maximum(a: Amounts, b: Amounts): Amounts {
  return combine(a, b, larger);
}

/** Only the resources that `a` names, never below zero. */
export function clampedTo(a: Amounts, value: Amounts): Amounts {
  return Object.fromEntries(Object.keys(a).map((name) => [name, (value[name] ?? 0n) > 0n ? (value[name] ?? 0n) : 0n]));
}

/**
 * What a pod counts for, as the scheduler computes it (k8s.io/component-helpers/resource, PodRequests): the larger of its
 * containers together with its sidecars, and each init container with the sidecars started before it; plus overhead.
 * Pod-level requests win over the sum. Every pod counts for one of `pods`.
 */
export function podRequests(pod: Pod): Amounts {
  let sidecars: Amounts = {};
  let initPeak: Amounts = {};
  for (const container of pod.spec.initContainers ?? []) {
    const own = requestsOf(container);
    if (container.restartPolicy === 'Always') {
      sidecars = add(sidecars, own);
      initPeak = maximum(initPeak, sidecars);
    } else initPeak = maximum(initPeak, add(sidecars, own));
  }
  const running = add(sidecars, ...pod.spec.containers.map(requestsOf));
  const total = { ...maximum(running, initPeak), ...amountsFrom(pod.spec.resources?.requests) };
  return { ...add(total, amountsFrom(pod.spec.overhead)), pods: 1000n };
}

/** A limit without a request is a request too (API defaulting). */
function requestsOf(container: Container): Amounts {
  return { ...amountsFrom(container.resources?.limits), ...amountsFrom(container.resources?.requests) };
}
