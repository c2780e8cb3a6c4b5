import type { PodVerdict } from '../exchange/pod-submission.ts';
import { type Node, objectKey, parseObjectKey } from '../kube-objects.ts';
import { usableNodes } from '../offer/compute-offer.ts';
import { referencedObjects } from '../reflection/references.ts';
import type { ShadowPod } from './shadow-pod.ts';

/** What one member may leave in the datastore of this cluster (`spec.guests.perMember` of a Federation). */
export interface MemberLimits {
  /** Shadow pods, those of pods that have ended included. */
  pods: number;
  /** Twin namespaces. */
  namespaces: number;
  /** ConfigMaps and Secrets in all of these, and all their data in MiB. */
  objects: number;
  objectMiB: number;
  services: number;
  /** Of all these Services. */
  endpoints: number;
}

/** In `spec.guests` of a Federation. */
export interface GuestLimitSettings {
  perMember?: Partial<MemberLimits>;
}

export const DEFAULT_MEMBER_LIMITS: Omit<MemberLimits, 'pods'> = {
  namespaces: 64,
  objects: 1_000,
  objectMiB: 32,
  services: 1_000,
  endpoints: 20_000,
};

/** Shadow pods for each pod that the nodes take: as many may have ended, whose logs are still there. */
const PODS_FACTOR = 2;
/** What a kubelet takes that says nothing. */
const DEFAULT_NODE_PODS = 110;
/** Long enough that its home was told how it ended. */
const TOLD_WITHIN_MS = 60_000;

export function memberLimitsOf(settings: Partial<MemberLimits> | undefined, nodes: readonly Node[]): MemberLimits {
  const ofNodes = usableNodes(nodes).map(({ status }) => Number(status?.allocatable?.pods ?? DEFAULT_NODE_PODS));
  const pods = PODS_FACTOR * (ofNodes.reduce((sum, one) => sum + one, 0) || DEFAULT_NODE_PODS);
  return { pods, ...DEFAULT_MEMBER_LIMITS, ...settings };
}

export interface LimitedMember {
  /** Of this member, and the one that is to come. */
  shadows: readonly ShadowPod[];
  shadow: ShadowPod;
  /** Names (`namespace/name`) of pods of this member that are being submitted. */
  submitting: readonly string[];
  /** Twin namespaces that there are of this member, also those without pods. */
  twins: readonly string[];
  limits: MemberLimits;
  now: number;
}

/** What to do with a pod of a member that has much here already: first end the shadow pods of these that have ended, or refuse it. */
export type LimitPlan = { makeRoom: ShadowPod[] } | Extract<PodVerdict, { accepted: false }>;

export function planLimits(member: LimitedMember): LimitPlan {
  const { shadow, limits } = member;
  const submitted = member.submitting
    .filter((name) => name !== objectKey(shadow))
    .map((name) => parseObjectKey(name).namespace);
  const namespace = refusalOfTwin(shadow.metadata.namespace ?? '', [...member.twins, ...submitted], limits);
  if (namespace !== undefined) return namespace;
  const objects = new Set([...member.shadows, shadow].flatMap(objectsOf));
  if (objects.size > limits.objects)
    return refused(
      'TooManyObjects',
      `pods of this cluster would name ${objects.size} ConfigMaps and Secrets on the provider`,
      'objects',
    );
  return planPods(member);
}

/** Why a member cannot have this twin namespace besides those that it has; undefined when it can. */
export function refusalOfTwin(
  twin: string,
  present: readonly string[],
  limits: Pick<MemberLimits, 'namespaces'>,
): Extract<PodVerdict, { accepted: false }> | undefined {
  const twins = new Set(present);
  if (twins.has(twin) || twins.size < limits.namespaces) return undefined;
  const what = `pods and volumes of ${twins.size} namespaces of this cluster are on the provider`;
  return refused('TooManyNamespaces', what, 'namespaces');
}

function planPods({ shadows, shadow, submitting, limits, now }: LimitedMember): LimitPlan {
  const names = new Set([...[...shadows, shadow].map(objectKey), ...submitting]);
  const over = names.size - limits.pods;
  if (over <= 0) return { makeRoom: [] };
  const ended = shadows.filter((one) => endedAt(one) + TOLD_WITHIN_MS <= now).sort((a, b) => endedAt(a) - endedAt(b));
  if (ended.length >= over) return { makeRoom: ended.slice(0, over) };
  return refused(
    'TooManyPods',
    `${names.size - 1} pods of this cluster are on the provider, those that have ended included`,
    'pods',
  );
}

function refused(reason: string, what: string, setting: keyof MemberLimits): Extract<PodVerdict, { accepted: false }> {
  const message = `${what}, which is its limit for one member (guests.perMember.${setting} of its Federation); it is tried again`;
  return { accepted: false, kind: 'later', reason, message };
}

function objectsOf({ metadata, spec }: ShadowPod): string[] {
  return referencedObjects(spec.pod).map(({ kind, name }) => `${metadata.namespace}/${kind}/${name}`);
}

/** In ms since 1970; endless for one that has not ended. */
function endedAt({ metadata, status }: ShadowPod): number {
  const { terminal } = status ?? {};
  if (terminal === undefined) return Number.POSITIVE_INFINITY;
  const ends = (terminal.containerStatuses ?? []).map(({ state }) => state?.terminated?.finishedAt);
  const times = [metadata.creationTimestamp, terminal.startTime, ...ends].map((time) => Date.parse(String(time)));
  return Math.max(0, ...times.filter(Number.isFinite));
}
