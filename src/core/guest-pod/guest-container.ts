import type { Container, PodSpec } from '../kube-objects.ts';
import type { GuestTerms } from './guest-terms.ts';

/** What a kubelet gives a pod that does not say it. */
const DEFAULT_GRACE_SECONDS = 30;

/** The spec within what the provider lets guests have: the time to end, images, capabilities. */
export function tamedSpec(spec: PodSpec, terms: GuestTerms): PodSpec {
  const isLinux = (spec.os as { name?: unknown } | undefined)?.name !== 'windows';
  const tame = (container: Container): Container => {
    const asked = terms.imagePulls === 'Always' ? { ...container, imagePullPolicy: 'Always' } : container;
    return withProbeGrace(terms.netRaw || !isLinux ? asked : withoutNetRaw(asked), terms.maxGraceSeconds);
  };
  return {
    ...spec,
    terminationGracePeriodSeconds: atMost(
      spec.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS,
      terms.maxGraceSeconds,
    ),
    containers: spec.containers.map(tame),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(tame) }),
    ...(spec.ephemeralContainers === undefined ? {} : { ephemeralContainers: spec.ephemeralContainers.map(tame) }),
    ...(spec.volumes === undefined || terms.imagePulls !== 'Always' ? {} : { volumes: spec.volumes.map(pulled) }),
  };
}

/**
 * The time (s) to say when a pod is deleted; undefined: the pod's own. A pod that a former version made may have more than it may take.
 * @param asked by whoever deletes it
 * @param own what its owner wrote into the pod
 */
export function graceSeconds(
  asked: number | undefined,
  own: number = DEFAULT_GRACE_SECONDS,
  { maxGraceSeconds }: Pick<GuestTerms, 'maxGraceSeconds'>,
): number | undefined {
  const wanted = asked ?? own;
  if (asked === undefined && wanted <= maxGraceSeconds) return undefined;
  return Math.min(wanted, maxGraceSeconds);
}

function pulled(volume: NonNullable<PodSpec['volumes']>[number]): NonNullable<PodSpec['volumes']>[number] {
  return volume.image === undefined ? volume : { ...volume, image: { ...volume.image, pullPolicy: 'Always' } };
}

/** What the API server will say to something else than a number is its own. */
function atMost(seconds: number, limit: number): number {
  return typeof seconds === 'number' ? Math.min(seconds, limit) : seconds;
}

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'] as const;

/** A failed probe ends a container with a time of its own, which nothing else cuts short. */
function withProbeGrace(container: Container, limit: number): Container {
  const result = { ...container };
  for (const name of PROBES) {
    const probe = container[name] as { terminationGracePeriodSeconds?: number } | undefined;
    const seconds = probe?.terminationGracePeriodSeconds;
    if (seconds !== undefined) result[name] = { ...probe, terminationGracePeriodSeconds: atMost(seconds, limit) };
  }
  return result;
}

interface SecurityContext {
  privileged?: boolean;
  capabilities?: { add?: string[]; drop?: string[] };
  [field: string]: unknown;
}

/**
 * By the addresses of their packets the provider tells guests apart: no guest writes packets of its own. Baseline forbids a pod to ask for
 * the capability; where the level lets it, it has it.
 */
function withoutNetRaw(container: Container): Container {
  const security = (container.securityContext ?? {}) as SecurityContext;
  const { add = [], drop = [] } = security.capabilities ?? {};
  const asks = security.privileged === true || names(add, ['ALL', 'NET_RAW']);
  if (asks || names(drop, ['ALL', 'NET_RAW'])) return container;
  const capabilities = { ...security.capabilities, drop: [...drop, 'NET_RAW'] };
  return { ...container, securityContext: { ...security, capabilities } };
}

function names(capabilities: readonly string[], wanted: readonly string[]): boolean {
  return capabilities.some(
    (one: unknown) => typeof one === 'string' && wanted.includes(one.toUpperCase().replace(/^CAP_/, '')),
  );
}
