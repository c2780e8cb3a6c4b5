import { CodedError } from '../../core/coded-error.ts';
import type { PodSubmission, PodVerdict } from '../../core/exchange/pod-submission.ts';
import type { GuestTerms } from '../../core/guest-pod/guest-terms.ts';
import { type ConfigObject, objectKey, type Pod, parseObjectKey } from '../../core/kube-objects.ts';
import { isTokenSecretName, type Twin, toNoCredentials } from '../../core/reflection/reflected-object.ts';
import { fromSentState } from '../../core/service/sent-service.ts';
import { SentAhead } from '../../core/shadow-pod/ahead.ts';
import { type LimitPlan, type MemberLimits, planLimits, refusalOfTwin } from '../../core/shadow-pod/member-limits.ts';
import { refusalByPolicy } from '../../core/shadow-pod/policy.ts';
import {
  absentFrom,
  inHomeWords,
  namesInTwin,
  type WantedObject,
  wantedObjects,
} from '../../core/shadow-pod/shadow-objects.ts';
import { guestKey, guestKeyOf, type ShadowPod, toShadowPod } from '../../core/shadow-pod/shadow-pod.ts';
import { needsNoCredentials } from '../../core/shadow-pod/translate-pod.ts';
import { twinNameAmong } from '../../core/shadow-pod/twin-namespace.ts';
import { claimNamesOf } from '../../core/volume/pod-claims.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SHADOW_PODS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { untilSeen } from '../../runtime/until-seen.ts';
import type { Admission, GuestVolumeDesk, PodLeases, ServiceMirrorDesk } from '../ports.ts';
import type { MemberPace } from './member-pace.ts';
import type { PodEvents } from './pod-events.ts';
import type { RealPods } from './real-pods.ts';
import type { ReflectedObjects } from './reflected-objects.ts';
import type { TwinNamespaces } from './twin-namespaces.ts';
import { isTwinBroken, later, refusalOf, verdictOfError } from './verdict-of-error.ts';

export interface SubmissionsDeps {
  client: Pick<KubeClient, 'create'>;
  pods: Store<Pod>;
  shadowPods: Store<ShadowPod>;
  admission: Admission;
  services: Pick<ServiceMirrorDesk, 'prepare'>;
  leases: Pick<PodLeases, 'ensure'>;
  /** For each consumer. */
  limits(): MemberLimits;
  volumes?: Pick<GuestVolumeDesk, 'refusalOf' | 'twinsOf'>;
  clock: Clock;
  /** What guests may have here. */
  terms(): GuestTerms;
}

/** What is there, or is made, for the pods of a consumer. */
export interface ProviderParts {
  twins: TwinNamespaces;
  objects: ReflectedObjects;
  events: PodEvents;
  realPods: RealPods;
  pace: Pick<MemberPace, 'take'>;
  /** The shadow pod that there is of this pod of a peer. */
  keyOf(peerId: string, uid: string): string | undefined;
  /** Removes the shadow pod of a pod that has ended. */
  remove(shadow: ShadowPod): Promise<void>;
  /** Nothing came of a submission; its twin namespace may have been made for nothing. */
  onGivenUp(twin: string): void;
}

const MIB = 1024 * 1024;

/** Takes pods of peers, or says why not. */
export class Submissions {
  readonly #deps: SubmissionsDeps;
  readonly #parts: ProviderParts;
  /** By `guestKey`. */
  readonly #running = new Map<string, { name: string; verdict: Promise<PodVerdict> }>();
  readonly #ahead = new SentAhead();

  constructor(deps: SubmissionsDeps, parts: ProviderParts) {
    this.#deps = deps;
    this.#parts = parts;
  }

  /** A submission into this twin namespace is under way. */
  isBusy(twin: string): boolean {
    const running = [...this.#running.values()].some(({ name }) => name.startsWith(`${twin}/`));
    return running || this.#ahead.isIn(twin, this.#deps.clock.monotonic());
  }

  isRunning(peerId: string, uid: string): boolean {
    return this.#running.has(guestKey(peerId, uid));
  }

  async submit(peerId: string, uid: string, submission: PodSubmission): Promise<PodVerdict> {
    const shadow = this.#shadowOf(peerId, uid, submission);
    const [key, name] = [guestKeyOf(shadow), objectKey(shadow)];
    const running = this.#running.get(key);
    if (running !== undefined) return running.name === name ? running.verdict : Promise.resolve(uidTaken(uid));
    const verdict = this.#submit(shadow, submission).finally(() => this.#running.delete(key));
    this.#running.set(key, { name, verdict });
    return verdict;
  }

  /** Takes some of what a pod names, which comes after all of it. */
  async sendAhead(peerId: string, uid: string, submission: PodSubmission): Promise<PodVerdict> {
    const shadow = this.#shadowOf(peerId, uid, submission);
    const [key, now] = [guestKeyOf(shadow), this.#deps.clock.monotonic()];
    const refusal = this.#refusalBeforeLimits(shadow, submission);
    if (refusal !== undefined) return refusal;
    if (!this.#ahead.hasRoomFor(key, peerId, now))
      return later('TooManyAhead', 'the provider keeps objects for too many pods that have not come yet');
    const plan = this.#planLimits(shadow);
    if ('accepted' in plan) return plan;
    const twin = twinOf(shadow);
    const wanted = wantedObjects(submission.objects, [shadow], twin).filter(({ owner }) => owner === undefined);
    const references = submission.objects.map(({ kind, metadata }) => ({ kind, name: metadata.name }));
    try {
      // Before they are there: nothing takes them for what nobody names.
      this.#ahead.note(key, { member: peerId, twin: twin.name }, [], now);
      await this.#parts.twins.ensure(twin);
      await this.#applyObjects(wanted, twin);
      this.#ahead.note(key, { member: peerId, twin: twin.name }, references, this.#deps.clock.monotonic());
      // When the pod does not come, somebody has to look at what is left of it.
      this.#parts.onGivenUp(twin.name);
      return { accepted: true };
    } catch (error) {
      this.#ahead.forget(key);
      this.#parts.onGivenUp(twin.name);
      if (isTwinBroken(error)) this.forgetTwin(twin.name);
      return inWordsOfHome(verdictOfError(error), shadow);
    }
  }

  #shadowOf(peerId: string, uid: string, submission: PodSubmission): ShadowPod {
    const origin = { cluster: peerId, namespace: submission.pod.metadata.namespace ?? '' };
    const shadow = toShadowPod(peerId, submission, twinNameAmong(this.#deps.shadowPods.list(), origin));
    if (shadow.spec.originUID === uid) return shadow;
    throw new CodedError('InvalidArgument', 'the UID in the path is not that of the pod');
  }

  /** Somebody deleted it, or what we put there: it is made anew with the next submission. */
  forgetTwin(twin: string): void {
    this.#ahead.forgetTwin(twin);
    this.#parts.twins.forget(twin);
    this.#parts.objects.forget(twin);
    this.#parts.events.unfollow(twin);
  }

  /** Also a yes, to a pod that is there already. */
  #refusalBeforeLimits(shadow: ShadowPod, { pod }: PodSubmission): PodVerdict | undefined {
    const { originCluster: peerId, originUID: uid } = shadow.spec;
    if (!this.#deps.shadowPods.synced || !this.#deps.pods.synced) return later('Starting', 'the agent is starting');
    const existing = this.#deps.shadowPods.get(objectKey(shadow));
    if (existing !== undefined) return verdictOnExisting(existing, shadow);
    if (this.#parts.keyOf(peerId, uid) !== undefined) return uidTaken(uid);
    return refusalByPolicy(pod, this.#deps.terms());
  }

  async #submit(shadow: ShadowPod, submission: PodSubmission): Promise<PodVerdict> {
    const { originCluster: peerId, originUID: uid } = shadow.spec;
    const refusal = this.#refusalBeforeLimits(shadow, submission);
    if (refusal !== undefined) return refusal;
    const claimless = this.#refusalOfClaims(shadow);
    if (claimless !== undefined) return claimless;
    const { ahead = [] } = submission;
    const [missing] = this.#ahead.missing(guestKeyOf(shadow), ahead, this.#deps.clock.monotonic());
    if (missing !== undefined)
      return later('ObjectsMissing', `${missing.kind} ${missing.name} was not sent ahead, or too long ago`);
    const plan = this.#planLimits(shadow);
    if ('accepted' in plan) return plan;
    try {
      // With its tokens, which are written after the shadow pod: no pod is left without them.
      const tokens = submission.objects.filter(({ metadata }) => isTokenSecretName(metadata.name));
      this.#parts.pace.take(peerId, 1 + tokens.length);
      for (const ended of plan.makeRoom) await this.#parts.remove(ended);
      // What it is given here counts, not what it asked for.
      const room = this.#deps.admission.reserve(uid, this.#parts.realPods.madeOf(shadow), peerId);
      if (!room.ok) return { accepted: false, kind: 'room', reason: room.reason, message: room.message };
      const verdict = await this.#accept(shadow, submission);
      if (!verdict.accepted) this.#giveUp(shadow);
      return verdict;
    } catch (error) {
      this.#giveUp(shadow);
      if (isTwinBroken(error)) this.forgetTwin(shadow.metadata.namespace ?? '');
      return inWordsOfHome(verdictOfError(error), shadow);
    }
  }

  #refusalOfClaims({ metadata, spec }: ShadowPod): PodVerdict | undefined {
    const { originCluster, originNamespace: namespace, claims = [] } = spec;
    const unnamed = claimNamesOf(spec.pod).find((name) => !claims.some((claim) => claim.name === name));
    if (unnamed !== undefined) {
      const message = `the pod cannot be offloaded: its claim ${unnamed} is not of a class that travels`;
      return { accepted: false, kind: 'policy', reason: 'ClaimStaysHome', message };
    }
    return this.#deps.volumes?.refusalOf(originCluster, metadata.namespace ?? '', { namespace, claims });
  }

  #planLimits(shadow: ShadowPod): LimitPlan {
    const { originCluster: peerId } = shadow.spec;
    const shadows = this.#deps.shadowPods.list().filter(({ spec }) => spec.originCluster === peerId);
    const twins = [...new Set(this.#twinsOf(peerId, shadows))];
    const [limits, now] = [this.#deps.limits(), this.#deps.clock.now()];
    return planLimits({ shadows, shadow, submitting: this.#submittingOf(peerId), twins, limits, now });
  }

  /** Why a member cannot have this twin namespace, for pods or volumes; undefined when it can. */
  refusalOfTwin({ name, origin: { cluster } }: Twin): ReturnType<typeof refusalOfTwin> {
    const shadows = this.#deps.shadowPods.list().filter(({ spec }) => spec.originCluster === cluster);
    const submitting = this.#submittingOf(cluster).map((key) => parseObjectKey(key).namespace);
    return refusalOfTwin(name, [...this.#twinsOf(cluster, shadows), ...submitting], this.#deps.limits());
  }

  #submittingOf(peerId: string): string[] {
    return [...this.#running].filter(([key]) => key.startsWith(`${peerId}/`)).map(([, { name }]) => name);
  }

  #twinsOf(peerId: string, shadows: readonly ShadowPod[]): string[] {
    const ofPods = shadows.map(({ metadata }) => metadata.namespace ?? '');
    return [...ofPods, ...this.#parts.twins.of(peerId), ...(this.#deps.volumes?.twinsOf(peerId) ?? [])];
  }

  #giveUp(shadow: ShadowPod): void {
    this.#deps.admission.release(shadow.spec.originUID, shadow.spec.originCluster);
    this.#parts.onGivenUp(shadow.metadata.namespace ?? '');
  }

  /** Namespace, a trial by the API server, referenced objects, ShadowPod, Pod. */
  async #accept(shadow: ShadowPod, submission: PodSubmission): Promise<PodVerdict> {
    const { twins, events, objects, realPods } = this.#parts;
    const twin = twinOf(shadow);
    const { origin } = twin;
    if (shadow.spec.fencing !== undefined) await this.#deps.leases.ensure(origin.cluster);
    await twins.ensure(twin);
    events.follow(twin.name);
    if (!(await realPods.tryOut(shadow))) return nameTaken(shadow);
    const wanted = wantedObjects(submission.objects, [shadow], twin);
    const others = needsNoCredentials(shadow) ? [{ object: toNoCredentials(twin) }] : [];
    // Its home does not have these any more: what is left of them was for pods of before, of a former namespace of this name perhaps.
    const neighbours = this.#deps.shadowPods.list().filter(({ metadata }) => metadata.namespace === twin.name);
    await objects.remove(namesInTwin(absentFrom(submission, submission.pod), [...neighbours, shadow]), twin);
    // Before the shadow pod, from which a pod would be made also when they are not there.
    await this.#applyObjects([...wanted.filter(({ owner }) => owner === undefined), ...others], twin);
    const created = await this.#deps.client.create(SHADOW_PODS, shadow);
    const tokens = wanted.filter(({ owner }) => owner !== undefined).map(({ object }) => ({ object, owner: created }));
    const { services } = submission;
    await Promise.all([
      objects.apply(tokens.map(toOwned), twin, { paid: true }),
      services === undefined
        ? undefined
        : this.#deps.services.prepare(origin.cluster, origin.namespace, fromSentState({ ...submission, services })),
    ]);
    await this.#createPod(created);
    await untilSeen(this.#deps.clock, () => this.#deps.shadowPods.get(objectKey(created)) !== undefined);
    this.#ahead.forget(guestKeyOf(shadow));
    return { accepted: true };
  }

  #applyObjects(wanted: readonly WantedObject[], twin: Twin): Promise<void> {
    const objects = wanted.map(({ object }) => object);
    return this.#parts.objects.apply(objects, twin, { maxBytes: this.#deps.limits().objectMiB * MIB });
  }

  /** What a quota refuses here, which a trial is not counted by, is refused: nothing is left that makes the pod when there is room. */
  async #createPod(created: ShadowPod): Promise<void> {
    try {
      await this.#parts.realPods.create(created);
    } catch (error) {
      if (refusalOf(error) !== undefined) await this.#parts.remove(created);
      throw error;
    }
  }
}

/** What goes with its shadow pod has it as its owner. */
export function toOwned({ object, owner }: WantedObject): ConfigObject {
  if (owner === undefined) return object;
  const { name, uid = '' } = owner.metadata;
  const reference = { apiVersion: 'headcut.dev/v1alpha1', kind: 'ShadowPod', name, uid };
  return { ...object, metadata: { ...object.metadata, ownerReferences: [reference] } };
}

function twinOf({ metadata, spec }: ShadowPod): Twin {
  return { name: metadata.namespace ?? '', origin: { cluster: spec.originCluster, namespace: spec.originNamespace } };
}

function verdictOnExisting(existing: ShadowPod, wanted: ShadowPod): PodVerdict {
  if (guestKeyOf(existing) !== guestKeyOf(wanted)) return nameTaken(existing);
  const refusal = existing.status?.refusal;
  return refusal === undefined ? { accepted: true } : { accepted: false, ...refusal };
}

/** Refused for good: what is kept about a pod is kept by its UID. */
function uidTaken(uid: string): PodVerdict {
  const message = `another pod of this cluster has the UID ${uid} on the provider; a UID is that of one pod`;
  return { accepted: false, kind: 'policy', reason: 'UIDTaken', message };
}

function nameTaken({ metadata }: ShadowPod): PodVerdict {
  return later('NameTaken', `an earlier pod named ${metadata.name} is still being removed on the provider`);
}

function inWordsOfHome(verdict: PodVerdict, shadow: ShadowPod): PodVerdict {
  return verdict.accepted ? verdict : { ...verdict, message: inHomeWords(verdict.message, shadow) };
}
