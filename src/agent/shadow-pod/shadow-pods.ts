import { CodedError } from '../../core/coded-error.ts';
import type { PodSubmission, PodVerdict, RemotePod } from '../../core/exchange/pod-submission.ts';
import type { GuestTerms } from '../../core/guest-pod/guest-terms.ts';
import { type ConfigObject, objectKey, type Pod } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL } from '../../core/labels.ts';
import { changesDigest } from '../../core/offloading/pod-changes.ts';
import { isTerminal } from '../../core/pod-phase.ts';
import type { ObjectReference } from '../../core/reflection/references.ts';
import type { Twin } from '../../core/reflection/reflected-object.ts';
import { madeAgainEvent } from '../../core/shadow-pod/home-lost.ts';
import type { MemberLimits } from '../../core/shadow-pod/member-limits.ts';
import { planShadowPod, type ShadowPodAction, toRemotePod } from '../../core/shadow-pod/plan-shadow-pod.ts';
import { messagesInHomeWords, namesInTwin, objectsInUse, wantedObjects } from '../../core/shadow-pod/shadow-objects.ts';
import { guestKey, guestKeyOf, isPodOf, type ShadowPod } from '../../core/shadow-pod/shadow-pod.ts';
import type { PodSurroundings } from '../../core/shadow-pod/translate-pod.ts';
import { isTwinName, twinNameAmong } from '../../core/shadow-pod/twin-namespace.ts';
import { ignoreGone } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { SHADOW_PODS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import { untilSeen } from '../../runtime/until-seen.ts';
import type { Admission, GuestVolumeDesk, HomeContact, PodLeases, PodProvider, ServiceMirrorDesk } from '../ports.ts';
import { MemberPace } from './member-pace.ts';
import { applyPodChanges } from './pod-changes.ts';
import { PodEvents } from './pod-events.ts';
import { RealPods } from './real-pods.ts';
import { ReflectedObjects } from './reflected-objects.ts';
import { Submissions, toOwned } from './submissions.ts';
import { TwinNamespaces } from './twin-namespaces.ts';
import { isTwinBroken, refusalOf } from './verdict-of-error.ts';

export interface ShadowPodsDeps {
  client: KubeClient;
  /** All pods of this cluster, and all shadow pods. */
  pods: Store<Pod>;
  shadowPods: Store<ShadowPod>;
  admission: Admission;
  services: Pick<ServiceMirrorDesk, 'prepare'>;
  /** The agent's own namespace and ServiceAccount. */
  agent: { namespace: string; serviceAccount: string };
  /** That the pods of this cluster have to meet. */
  podSecurityLevel(cluster: string): string;
  /** What guests may have here. */
  terms(): GuestTerms;
  /** Undefined while it is not known, or what pods need of it is not installed. */
  surroundings(): PodSurroundings | undefined;
  limits(): MemberLimits;
  leases: PodLeases;
  volumes?: GuestVolumeDesk;
  homes: HomeContact;
  /** Resolves when the stored members were read. */
  membersKnown(): Promise<void>;
  clock: Clock;
  logger: Logger;
}

export type PodsListener = (peerId: string, change: 'pods' | { podUid: string }) => void;

/** A twin namespace without shadow pods is removed after this long. */
const EMPTY_TWIN_MS = 60_000;
const MIB = 1024 * 1024;

/** A pod is on its way into it. */
const BUSY_TWIN_MS = 1_000;

/**
 * The provider side of offloading: admits pods of peers, keeps a ShadowPod for each, makes the real Pod from it, and tells
 * what becomes of it.
 */
export class ShadowPods implements PodProvider {
  readonly controller: Controller;
  readonly #deps: ShadowPodsDeps;
  readonly #pace: MemberPace;
  readonly #twins: TwinNamespaces;
  readonly #realPods: RealPods;
  readonly #submissions: Submissions;
  readonly #objects: ReflectedObjects;
  readonly #events: PodEvents;
  readonly #listeners: PodsListener[] = [];
  /** Since when (monotonic ms) twin namespaces have no shadow pods. */
  readonly #emptySince = new Map<string, number>();
  /** Keys of shadow pods by `guestKey`. */
  readonly #keys = new Map<string, string>();
  /** Pods (`guestKey`) whose consumer asked for their end. In memory only: after a restart the consumer asks again. */
  readonly #deleting = new Map<string, number | undefined>();

  constructor(deps: ShadowPodsDeps) {
    this.#deps = deps;
    this.#pace = new MemberPace(deps.clock);
    this.#twins = new TwinNamespaces(deps);
    this.#objects = new ReflectedObjects(deps.client, this.#pace);
    this.#realPods = new RealPods(deps);
    this.#events = new PodEvents({
      ...deps,
      onChange: (namespace, name) => this.#announce(deps.shadowPods.get(`${namespace}/${name}`)),
    });
    this.#submissions = new Submissions(deps, {
      twins: this.#twins,
      objects: this.#objects,
      events: this.#events,
      realPods: this.#realPods,
      pace: this.#pace,
      keyOf: (peerId, uid) => this.#keys.get(guestKey(peerId, uid)),
      remove: (shadow) => this.#apply(shadow, { type: 'delete-shadow-pod' }),
      onGivenUp: (twin) => this.controller.enqueue(twin),
    });
    this.controller = createController({
      name: 'shadow-pods',
      reconcile: (key) => (key.includes('/') ? this.#reconcile(key) : this.#reconcileTwin(key)),
      clock: deps.clock,
      logger: deps.logger,
      concurrency: 8,
    });
    this.#listen();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { pods, shadowPods, membersKnown } = this.#deps;
    await Promise.all([pods.whenSynced(), shadowPods.whenSynced(), membersKnown()]);
    if (signal.aborted) return;
    for (const peerId of new Set(shadowPods.list().map((one) => one.spec.originCluster))) this.#tell(peerId, 'pods');
    // Those that a former process had not removed yet.
    for (const { metadata } of await this.#twins.list()) this.controller.enqueue(metadata.name);
    await this.controller.run(signal);
    this.#events.unfollow();
  }

  onChange(listener: PodsListener): void {
    this.#listeners.push(listener);
  }

  /** What a peer's session tells; undefined while the caches are cold, since then absence proves nothing. */
  podsFor(peerId: string): RemotePod[] | undefined {
    if (!this.#deps.pods.synced || !this.#deps.shadowPods.synced) return undefined;
    return this.#deps.shadowPods
      .list()
      .filter((shadow) => shadow.spec.originCluster === peerId)
      .map((shadow) => this.#toRemotePod(shadow));
  }

  podFor(peerId: string, uid: string): RemotePod | undefined {
    const shadow = this.#shadowOf(peerId, uid);
    return shadow && this.#toRemotePod(shadow);
  }

  submit(peerId: string, uid: string, submission: PodSubmission): Promise<PodVerdict> {
    return this.#submissions.submit(peerId, uid, submission);
  }

  sendAhead(peerId: string, uid: string, submission: PodSubmission): Promise<PodVerdict> {
    return this.#submissions.sendAhead(peerId, uid, submission);
  }

  async update(peerId: string, uid: string, pod: Pod): Promise<void> {
    if (pod.metadata.uid !== uid) throw new CodedError('InvalidArgument', 'the UID in the path is not that of the pod');
    const shadow = this.#shadowOf(peerId, uid);
    const real = shadow && this.#realPodOf(shadow);
    if (shadow === undefined || real === undefined)
      throw new CodedError('Unavailable', 'the pod does not exist on the provider, or not yet');
    this.#pace.take(peerId, 1);
    await applyPodChanges(
      { client: this.#deps.client, surroundings: this.#realPods.surroundings() },
      shadow,
      real,
      pod,
    );
    // What a change names, such as the objects of a debugger, is taken when the cache has the change: they follow it.
    const [key, digest] = [objectKey(shadow), changesDigest(pod)];
    await untilSeen(this.#deps.clock, () => {
      const known = this.#deps.shadowPods.get(key);
      return known === undefined || changesDigest(known.spec.pod) === digest;
    });
  }

  async delete(peerId: string, uid: string, gracePeriodSeconds: number | undefined): Promise<void> {
    const shadow = this.#shadowOf(peerId, uid);
    if (shadow === undefined) return;
    this.#deleting.set(guestKeyOf(shadow), gracePeriodSeconds);
    const pod = this.#realPodOf(shadow);
    if (pod !== undefined) await this.#realPods.delete(shadow, pod.metadata.uid ?? '', gracePeriodSeconds);
    this.#announce(shadow);
    this.controller.enqueue(objectKey(shadow));
  }

  async updateObjects(
    peerId: string,
    namespace: string,
    objects: ConfigObject[],
    gone: readonly ObjectReference[] = [],
  ): Promise<void> {
    const origin = { cluster: peerId, namespace };
    const all = this.#deps.shadowPods.list();
    const twin = { name: twinNameAmong(all, origin), origin };
    const shadows = all.filter(
      ({ metadata, spec }) => metadata.namespace === twin.name && spec.originCluster === peerId,
    );
    const [wanted, unwanted] = [wantedObjects(objects, shadows, twin), namesInTwin(gone, shadows)];
    if (wanted.length > 0)
      await this.#objects.apply(wanted.map(toOwned), twin, { maxBytes: this.#deps.limits().objectMiB * MIB });
    await this.#objects.remove(unwanted, twin);
  }

  /** Makes the namespace for volumes of a peer; gives why the peer cannot have one more. Without a volume it goes again. */
  async ensureTwin(twin: Twin): Promise<{ reason: string; message: string } | undefined> {
    const refusal = this.#submissions.refusalOfTwin(twin);
    if (refusal !== undefined) return refusal;
    this.#pace.take(twin.origin.cluster, 1);
    this.#emptySince.set(twin.name, this.#deps.clock.monotonic());
    try {
      await this.#twins.ensure(twin);
    } finally {
      this.controller.enqueue(twin.name);
    }
    return undefined;
  }

  /** A volume in this twin namespace came or went: without any the namespace may go. */
  noteVolume(twin: string): void {
    this.controller.enqueue(twin);
  }

  locate(peerId: string, uid: string): { namespace: string; name: string } {
    const shadow = this.#shadowOf(peerId, uid);
    const pod = shadow && this.#realPodOf(shadow);
    if (pod === undefined) throw new CodedError('NotFound', 'the pod does not exist on the provider');
    return { namespace: pod.metadata.namespace ?? '', name: pod.metadata.name };
  }

  async #reconcile(key: string): Promise<ReconcileResult> {
    const { shadowPods, pods, clock, leases, homes } = this.#deps;
    const shadow = shadowPods.get(key);
    if (shadow === undefined) return;
    if (this.#submissions.isRunning(shadow.spec.originCluster, shadow.spec.originUID)) return { requeueAfterMs: 1_000 };
    this.#events.follow(shadow.metadata.namespace ?? '');
    const deleting = this.#deleting.has(guestKeyOf(shadow));
    const [fenced, mayRun] = [leases.isFenced(shadow), leases.mayRun(shadow)];
    const { originCluster } = shadow.spec;
    const home = { homeLostMs: homes.lostForMs(originCluster), homeGoneMs: homes.goneForMs(originCluster) };
    const plan = planShadowPod({ shadow, pod: pods.get(key), deleting, fenced, mayRun, ...home, now: clock.now() });
    for (const action of plan.actions) await this.#apply(shadow, action);
    return plan.requeueAfterMs === undefined ? undefined : { requeueAfterMs: plan.requeueAfterMs };
  }

  async #apply(shadow: ShadowPod, action: ShadowPodAction): Promise<void> {
    const { client } = this.#deps;
    const { namespace, name } = shadow.metadata;
    switch (action.type) {
      case 'create-pod':
        return this.#createPod(shadow);
      case 'delete-pod':
        return this.#realPods.delete(
          shadow,
          action.uid,
          action.gracePeriodSeconds ?? this.#deleting.get(guestKeyOf(shadow)),
        );
      case 'kill-pod':
        return this.#deps.leases.kill(shadow, action.uid);
      case 'delete-shadow-pod':
        await client.delete(SHADOW_PODS, { namespace, name }, uidOf(shadow)).catch(ignoreGone);
        this.#deps.admission.release(shadow.spec.originUID, shadow.spec.originCluster);
        return;
      case 'write-status':
        // Merge patch: the status is written by this agent only.
        await client
          .patch(SHADOW_PODS, { namespace, name, subresource: 'status' }, { status: action.status })
          .catch(ignoreGone);
        return;
    }
  }

  /** One that never was there is refused, as in a submission: its home decides what follows. */
  async #createPod(shadow: ShadowPod): Promise<void> {
    try {
      await this.#realPods.create(shadow);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined || shadow.status?.podUID !== undefined) throw error;
      await this.#apply(shadow, { type: 'write-status', status: { ...shadow.status, refusal } });
    }
  }

  /** What only pods of before referenced goes at once; a twin namespace that has been empty for a while goes with all that is in it. */
  async #reconcileTwin(name: string): Promise<ReconcileResult> {
    const shadows = this.#deps.shadowPods.list().filter(({ metadata }) => metadata.namespace === name);
    if (this.#submissions.isBusy(name)) return { requeueAfterMs: BUSY_TWIN_MS };
    const [first] = shadows;
    if (first !== undefined) {
      this.#emptySince.delete(name);
      const origin = { cluster: first.spec.originCluster, namespace: first.spec.originNamespace };
      if (!isTwinName(name, origin)) return undefined;
      await this.#objects.keepOnly(objectsInUse(shadows), { name, origin }).catch((error) => {
        // It is going, with all that is in it.
        if (!isTwinBroken(error)) throw error;
      });
      return undefined;
    }
    const now = this.#deps.clock.monotonic();
    if (this.#deps.volumes?.holdsData(name) === true) {
      this.#emptySince.set(name, now);
      return { requeueAfterMs: EMPTY_TWIN_MS };
    }
    const since = this.#emptySince.get(name) ?? now;
    this.#emptySince.set(name, since);
    if (now < since + EMPTY_TWIN_MS) return { requeueAfterMs: since + EMPTY_TWIN_MS - now };
    await this.#twins.remove(name);
    this.#submissions.forgetTwin(name);
    this.#emptySince.delete(name);
    return undefined;
  }

  #listen(): void {
    const { pods, shadowPods, leases, homes } = this.#deps;
    leases.onChange((key) => this.controller.enqueue(key));
    homes.onChange((cluster) => {
      for (const one of shadowPods.list())
        if (one.spec.originCluster === cluster) this.controller.enqueue(objectKey(one));
    });
    shadowPods.onChange((key, after, before) => {
      if (after !== undefined) this.#keys.set(guestKeyOf(after), key);
      else if (before !== undefined) this.#forget(before);
      this.#announce(after ?? before);
      this.controller.enqueue(key);
    });
    pods.onChange((key, after, before) => {
      if ((after ?? before)?.metadata.labels?.[ORIGIN_CLUSTER_LABEL] === undefined) return;
      this.#announce(shadowPods.get(key));
      this.controller.enqueue(key);
    });
  }

  #forget(shadow: ShadowPod): void {
    const key = guestKeyOf(shadow);
    if (this.#keys.get(key) === objectKey(shadow)) this.#keys.delete(key);
    this.#deleting.delete(key);
    this.#deps.admission.release(shadow.spec.originUID, shadow.spec.originCluster);
    this.controller.enqueue(shadow.metadata.namespace ?? '');
  }

  #shadowOf(peerId: string, uid: string): ShadowPod | undefined {
    const key = this.#keys.get(guestKey(peerId, uid));
    return key === undefined ? undefined : this.#deps.shadowPods.get(key);
  }

  #realPodOf(shadow: ShadowPod): Pod | undefined {
    const pod = this.#deps.pods.get(objectKey(shadow));
    return pod !== undefined && isPodOf(pod, shadow) ? pod : undefined;
  }

  #toRemotePod(shadow: ShadowPod): RemotePod {
    const pod = this.#deps.pods.get(objectKey(shadow));
    const deleting = this.#deleting.has(guestKeyOf(shadow));
    const remote = toRemotePod({ shadow, pod, deleting });
    if (isTerminal(remote.status)) return remote;
    const warnings = this.#events.of(shadow.metadata.namespace ?? '', pod?.metadata.uid);
    const events = messagesInHomeWords([...madeAgainEvent(shadow.status), ...warnings], shadow);
    return events.length === 0 ? remote : { ...remote, events };
  }

  #announce(shadow: ShadowPod | undefined): void {
    if (shadow !== undefined) this.#tell(shadow.spec.originCluster, { podUid: shadow.spec.originUID });
  }

  #tell(peerId: string, change: 'pods' | { podUid: string }): void {
    for (const listener of this.#listeners) listener(peerId, change);
  }
}

function uidOf(shadow: ShadowPod): { uid: string } | Record<string, never> {
  return shadow.metadata.uid === undefined ? {} : { uid: shadow.metadata.uid };
}
