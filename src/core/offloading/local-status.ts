import { isEqual } from '../is-equal.ts';
import type { Condition, ContainerStatus, Pod, PodStatus } from '../kube-objects.ts';
import { gatesOf, withGates } from './readiness-gates.ts';
import { takenStatus } from './taken-status.ts';

/** Fields of a remote status that hold on the consumer as they are. */
const COPIED_FIELDS = [
  'phase',
  'reason',
  'message',
  'startTime',
  'containerStatuses',
  'initContainerStatuses',
  'ephemeralContainerStatuses',
] as const;

/** Conditions that belong to the consumer: its own scheduler bound the pod. */
const HOME_CONDITIONS = new Set(['PodScheduled']);

/** Conditions that a kubelet takes away again when they no longer hold (pkg/kubelet/status: resize). */
const PASSING_CONDITIONS = ['PodResizePending', 'PodResizeInProgress'];

/**
 * The address of an offloaded pod on the consumer: by which it is reached from here, not the one it has at its provider.
 * `null`: it has none; undefined: not known now, what is shown stays.
 */
export type ShownAddress = string | null | undefined;

/**
 * The status that an offloaded pod shows on the consumer. The host's address is left out: it is the provider's.
 * @param extra a condition of our own
 */
export function toLocalStatus(told: PodStatus, local: Pod, address?: ShownAddress, extra?: Condition): LocalStatus {
  const status: LocalStatus = {};
  const remote = takenStatus(told, local);
  for (const field of COPIED_FIELDS) if (remote[field] !== undefined) Object.assign(status, { [field]: remote[field] });
  const gates = gatesOf(local);
  const said = (remote.conditions ?? [])
    .filter(({ type }) => !HOME_CONDITIONS.has(type) && !gates.includes(type))
    .map((condition) => withoutNulls({ ...condition, observedGeneration: undefined }) as Condition);
  const conditions = withGates(said, local);
  if (extra !== undefined) conditions.push(extra);
  if (conditions.length > 0) status.conditions = conditions;
  if (local.metadata.generation !== undefined) status.observedGeneration = local.metadata.generation;
  return { ...(withoutNulls(status) as LocalStatus), ...(address === undefined ? {} : { podIP: address }) };
}

/** A wanted status; `podIP: null` removes the address. */
export interface LocalStatus extends Pick<PodStatus, 'phase' | 'reason' | 'message' | 'startTime' | 'conditions'> {
  podIP?: string | null;
  /** The address of the node to which the pod is bound here. */
  hostIP?: string;
  observedGeneration?: number;
  containerStatuses?: ContainerStatus[];
  initContainerStatuses?: ContainerStatus[];
  ephemeralContainerStatuses?: ContainerStatus[];
}

/** The status of a pod that the provider refused for want of room, as a kubelet reports it; its controller makes another. */
export function failedStatus(reason: string, message: string): PodStatus {
  return { phase: 'Failed', reason, message };
}

/** The status of a pod that waits because its provider forbids it or cannot take it now. */
export function waitingStatus(reason: string, message: string): PodStatus {
  return { phase: 'Pending', reason, message };
}

/**
 * The strategic merge patch that turns the consumer's status into the wanted one, or undefined when nothing differs.
 * `uid` in it makes the API server refuse (409) when a namesake took the pod's place.
 */
export function statusPatch(
  local: Pod,
  wanted: LocalStatus,
): { metadata: { uid: string }; status: Record<string, unknown> } | undefined {
  const current = (withoutNulls(local.status ?? {}) ?? {}) as PodStatus;
  const status: Record<string, unknown> = {};
  for (const field of ['phase', 'reason', 'message', 'startTime', 'observedGeneration'] as const) {
    const value = wanted[field];
    if (value === current[field]) continue;
    // A terminal or running pod keeps its start; reasons that no longer hold are removed.
    if (value !== undefined) status[field] = value;
    else if (field === 'reason' || field === 'message') status[field] = null;
  }
  for (const field of ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const) {
    if (wanted[field] !== undefined && !isEqual(wanted[field], current[field])) status[field] = wanted[field];
  }
  const conditions = (wanted.conditions ?? []).flatMap((condition) => {
    const before = current.conditions?.find((one) => one.type === condition.type);
    if (isEqual(withoutGeneration(condition), withoutGeneration(before))) return [];
    // A patch merges conditions of one type: what no longer holds has to be named.
    const gone = Object.keys(withoutGeneration(before) ?? {}).filter((field) => condition[field] === undefined);
    return [{ ...condition, ...Object.fromEntries(gone.map((field) => [field, null])) }];
  });
  const passed = PASSING_CONDITIONS.filter(
    (type) =>
      wanted.conditions?.some((one) => one.type === type) !== true &&
      current.conditions?.some((one) => one.type === type) === true,
  ).map((type) => ({ type, $patch: 'delete' }));
  if (conditions.length + passed.length > 0) status.conditions = [...conditions, ...passed];
  Object.assign(status, addressPatch(current, wanted));
  if (Object.keys(status).length === 0) return undefined;
  return { metadata: { uid: local.metadata.uid ?? '' }, status };
}

/** A pod's list of addresses is merged by address: an old one would stay beside the new one, which the API server refuses. */
function addressPatch(current: PodStatus, { podIP, hostIP }: LocalStatus): Record<string, unknown> {
  const host =
    hostIP === undefined || hostIP === current.hostIP
      ? {}
      : { hostIP, hostIPs: [{ $patch: 'replace' }, { ip: hostIP }] };
  return { ...host, ...podAddressPatch(current, podIP) };
}

function podAddressPatch(current: PodStatus, podIP: ShownAddress): Record<string, unknown> {
  if (podIP === undefined || podIP === (current.podIP ?? null)) return {};
  if (podIP === null) return { podIP: null, podIPs: [{ $patch: 'replace' }] };
  return { podIP, podIPs: [{ $patch: 'replace' }, { ip: podIP }] };
}

function withoutGeneration(condition: Condition | undefined): Record<string, unknown> | undefined {
  if (condition === undefined) return undefined;
  const { observedGeneration: _, ...rest } = condition;
  return rest;
}

/** JSON without null and undefined members: the API server writes `lastProbeTime: null`, and we do not. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== null && member !== undefined);
  return Object.fromEntries(entries.map(([key, member]) => [key, withoutNulls(member)]));
}
