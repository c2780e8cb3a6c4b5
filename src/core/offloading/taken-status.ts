import type { Condition, ContainerStatus, Pod, PodStatus } from '../kube-objects.ts';

/**
 * What counts of the status that another member tells of a pod: what the API server here takes, of containers that the pod has, and
 * bounded. What is not so is left out; the rest counts.
 */

const PHASES: readonly unknown[] = ['Pending', 'Running', 'Succeeded', 'Failed'];
const CONDITION_STATUS: readonly unknown[] = ['True', 'False', 'Unknown'];
/** As Kubernetes checks a qualified name. */
const CONDITION_TYPE = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const MAX_CONDITIONS = 32;
/** A kubelet cuts what a container leaves as its last words after as many bytes. */
const MAX_TEXT = 4_096;
const MAX_MEMBERS = 64;
const MAX_DEPTH = 8;
const TIMES = ['lastProbeTime', 'lastTransitionTime'] as const;

export function takenStatus(remote: PodStatus, { spec }: Pick<Pod, 'spec'>): PodStatus {
  const { phase, reason, message, startTime, podIP, podIPs, hostIP, resize } = remote;
  const containers = {
    containerStatuses: takenContainers(remote.containerStatuses, spec.containers),
    initContainerStatuses: takenContainers(remote.initContainerStatuses, spec.initContainers),
    ephemeralContainerStatuses: takenContainers(remote.ephemeralContainerStatuses, spec.ephemeralContainers),
  };
  const conditions = takenConditions(remote.conditions);
  const texts = { reason, message, podIP, hostIP, resize };
  return withoutUndefined({
    ...(PHASES.includes(phase) ? { phase } : {}),
    ...Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, takenText(text)])),
    ...(isTime(startTime) ? { startTime } : {}),
    ...(podIPs === undefined ? {} : { podIPs: bounded(podIPs, 1) }),
    ...containers,
    ...(conditions.length === 0 && remote.conditions === undefined ? {} : { conditions }),
  }) as PodStatus;
}

/** A status of a container that the owner of the pod does not know is one that the provider's admission added. */
function takenContainers(
  statuses: unknown,
  containers: readonly { name: string }[] | undefined,
): ContainerStatus[] | undefined {
  if (!Array.isArray(statuses)) return undefined;
  const open = new Set((containers ?? []).map(({ name }) => name));
  return statuses
    .filter((status) => open.delete((status as { name?: string } | null)?.name ?? ''))
    .map((status) => bounded(status, 0) as ContainerStatus);
}

function takenConditions(conditions: unknown): Condition[] {
  if (!Array.isArray(conditions)) return [];
  const seen = new Set<string>();
  return conditions
    .filter((one: Condition | null) => {
      if (one === null || typeof one !== 'object' || typeof one.type !== 'string' || seen.has(one.type)) return false;
      if (!CONDITION_TYPE.test(one.type) || !CONDITION_STATUS.includes(one.status)) return false;
      seen.add(one.type);
      return true;
    })
    .slice(0, MAX_CONDITIONS)
    .map((one: Condition) => {
      const condition = bounded(one, 0) as Condition;
      for (const time of TIMES) if (condition[time] != null && !isTime(condition[time])) delete condition[time];
      return condition;
    });
}

/** JSON of which no text, list, object or depth is larger than what a kubelet writes. */
function bounded(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return takenText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return undefined;
  if (Array.isArray(value)) return value.slice(0, MAX_MEMBERS).map((member) => bounded(member, depth + 1));
  const members = Object.entries(value).slice(0, MAX_MEMBERS);
  return Object.fromEntries(members.map(([name, member]) => [name, bounded(member, depth + 1)]));
}

function takenText(text: unknown): string | undefined {
  if (typeof text !== 'string') return undefined;
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
}

function isTime(time: unknown): boolean {
  return typeof time === 'string' && time.length < 64 && !Number.isNaN(Date.parse(time));
}

function withoutUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as T;
}
