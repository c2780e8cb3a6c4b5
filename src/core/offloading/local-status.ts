import { isEqual } from '../is-equal.ts';
import type {
  Condition,
  ContainerStatus,
  Pod,
  PodStatus,
  ResourceList,
  ResourceRequirements,
} from '../kube-objects.ts';
import { amountsFrom, podResources } from '../quantities/resources.ts';
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
  const { generation } = local.metadata;
  const gates = gatesOf(local);
  const said = (remote.conditions ?? [])
    .filter(({ type }) => !HOME_CONDITIONS.has(type) && !gates.includes(type))
    .map((condition) => withoutNulls({ ...condition, observedGeneration: undefined }) as Condition);
  const conditions = withGates(said, local);
  if (extra !== undefined) conditions.push(extra);
  if (conditions.length > 0)
    status.conditions =
      generation === undefined ? conditions : conditions.map((one) => ({ ...one, observedGeneration: generation }));
  if (generation !== undefined) status.observedGeneration = generation;
  Object.assign(status, resourcesOf(told, local));
  return { ...(withoutNulls(status) as LocalStatus), ...(address === undefined ? {} : { podIP: address }) };
}

/** What the provider's kubelet says of the pod as a whole counts what is given to guests; here it is as the owner gave it. */
function resourcesOf(told: PodStatus, local: Pod): Pick<LocalStatus, 'resources' | 'allocatedResources'> {
  // Kubelets of before do not say it; and while a change waits, what holds is what was before.
  if (told.resources === undefined && told.allocatedResources === undefined) return {};
  if (told.conditions?.some(({ type }) => PASSING_CONDITIONS.includes(type)) === true) return {};
  const resources = podResources(local);
  const { requests } = resources;
  return { ...(requests === undefined ? {} : { allocatedResources: requests }), resources };
}

/** The status without word of which generation of the pod it is: its provider has not seen the latest one. */
export function withoutGenerations({ observedGeneration: _, conditions, ...status }: LocalStatus): LocalStatus {
  return conditions === undefined
    ? status
    : { ...status, conditions: conditions.map((one) => withoutGeneration(one) as unknown as Condition) };
}

/** A wanted status; `podIP: null` removes the address. */
export interface LocalStatus extends Pick<PodStatus, 'phase' | 'reason' | 'message' | 'startTime' | 'conditions'> {
  podIP?: string | null;
  /** The address of the node to which the pod is bound here. */
  hostIP?: string;
  observedGeneration?: number;
  /** Of the pod as a whole. */
  allocatedResources?: ResourceList;
  resources?: ResourceRequirements;
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
  // By itself that is no reason to write: an API server that does not know a field drops it.
  const isNewer = status.observedGeneration !== undefined;
  const conditions = [...(wanted.conditions ?? []), ...(isNewer ? boundBefore(current, wanted) : [])].flatMap(
    (condition) => {
      const before = current.conditions?.find((one) => one.type === condition.type);
      const { observedGeneration = before?.observedGeneration } = condition;
      const isSame = isEqual(withoutGeneration(condition), withoutGeneration(before));
      if (isSame && !(isNewer && observedGeneration !== before?.observedGeneration)) return [];
      // A patch merges conditions of one type: what no longer holds has to be named.
      const gone = Object.keys(withoutGeneration(before) ?? {}).filter((field) => condition[field] === undefined);
      return [{ ...condition, ...Object.fromEntries(gone.map((field) => [field, null])) }];
    },
  );
  const passed = PASSING_CONDITIONS.filter(
    (type) =>
      wanted.conditions?.some((one) => one.type === type) !== true &&
      current.conditions?.some((one) => one.type === type) === true,
  ).map((type) => ({ type, $patch: 'delete' }));
  if (conditions.length + passed.length > 0) status.conditions = [...conditions, ...passed];
  Object.assign(status, addressPatch(current, wanted));
  if (Object.keys(status).length === 0) return undefined;
  Object.assign(status, resourcesPatch(current, wanted));
  return { metadata: { uid: local.metadata.uid ?? '' }, status };
}

/** That the pod was bound is written at home; of which generation, kubelets write. */
function boundBefore({ conditions = [] }: PodStatus, { observedGeneration }: LocalStatus): Condition[] {
  const own = conditions.filter(({ type }) => HOME_CONDITIONS.has(type));
  return observedGeneration === undefined ? [] : own.map((one) => ({ ...one, observedGeneration }));
}

/** Maps are merged: what is no more in one has to go. Amounts are compared, as API servers write them in their own way. */
function resourcesPatch(current: PodStatus, { resources, allocatedResources }: LocalStatus): Record<string, unknown> {
  if (resources === undefined) return {};
  const now = (current.resources ?? {}) as ResourceRequirements;
  const before = (current.allocatedResources ?? {}) as ResourceList;
  const same = (a: ResourceList | undefined, b: ResourceList | undefined): boolean =>
    isEqual(amountsFrom(a), amountsFrom(b));
  if (same(resources.requests, now.requests) && same(resources.limits, now.limits) && same(allocatedResources, before))
    return {};
  const { requests, limits } = resources;
  return {
    resources: { requests: mapPatch(now.requests, requests), limits: mapPatch(now.limits, limits) },
    allocatedResources: mapPatch(before, allocatedResources),
  };
}

function mapPatch(before: ResourceList = {}, wanted: ResourceList = {}): Record<string, string | null> | undefined {
  const gone = Object.keys(before).filter((name) => wanted[name] === undefined);
  const patch = { ...wanted, ...Object.fromEntries(gone.map((name) => [name, null])) };
  return Object.keys(patch).length === 0 ? undefined : patch;
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
