import { hasCode } from '../../core/coded-error.ts';
import type { PodSubmission, PodVerdict, RemotePod } from '../../core/exchange/pod-submission.ts';
import type { PodClaim } from '../../core/exchange/volume.ts';
import { type ConfigObject, objectKey, type Pod } from '../../core/kube-objects.ts';
import type { ShownAddress } from '../../core/offloading/local-status.ts';
import { planOffloadedPod, retryDelayMs } from '../../core/offloading/plan-offloaded-pod.ts';
import { isTokenOfAccount, withoutTokens } from '../../core/offloading/token-rule.ts';
import { isTerminal } from '../../core/pod-phase.ts';
import { podRequests, toResourceList } from '../../core/quantities/resources.ts';
import { toSentObject } from '../../core/reflection/reflected-object.ts';
import { toSentState } from '../../core/service/sent-service.ts';
import { KEPT_AFTER_MS } from '../../core/virtual-node/peer-room.ts';
import { withNamedClaims } from '../../core/volume/pod-claims.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Store } from '../../kube/store.ts';
import { type Clock, toKubeTime } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type {
  NodeIdentities,
  PeerAddresses,
  PeerLink,
  PeerLinks,
  PodFencing,
  ServiceSource,
  VirtualNodes,
} from '../ports.ts';
import { type ApplyTarget, applyAction, recordEvent } from './apply.ts';
import { ObjectSender, type ObjectState } from './object-sender.ts';
import type { OffloadedNamespaces } from './offloaded-namespaces.ts';
import { PodEventTeller } from './pod-event-teller.ts';
import { PodTokens } from './pod-tokens.ts';
import { ReferencedObjects } from './referenced-objects.ts';
import { submitPod } from './submit-pod.ts';
import { SupersededPods } from './superseded-pods.ts';
import { WritePace } from './write-pace.ts';

export interface OffloadingDeps {
  client: KubeClient;
  /** All pods of this cluster. */
  pods: Store<Pod>;
  /** All virtual nodes, and which namespaces are offloaded, are known when this is synced. */
  nodesSynced(): Promise<void>;
  /** Says which pods may leave. */
  offloaded: Pick<OffloadedNamespaces, 'whyNot'>;
  links: PeerLinks;
  nodes: VirtualNodes;
  identities: NodeIdentities;
  addresses: PeerAddresses;
  services: ServiceSource;
  fencing: PodFencing;
  /** The address that virtual nodes have here, which pods show as that of their host. */
  hostIp: string;
  /** Whether tokens of ServiceAccounts go along with pods of a namespace that mount them. */
  tokensLeave(namespace: string): boolean;
  /** The claims of a pod, and which ones they are; undefined while they are not known. */
  claimsOf(pod: Pod): PodClaim[] | undefined;
  /** After how long without contact to this cluster providers stop pods of a namespace; undefined: never. */
  stopAfterSeconds(namespace: string): number | undefined;
  clock: Clock;
  random(): number;
  logger: Logger;
}

/** How long a refused pod waits for room where its peer is closed. */
const HELD_MS = 20_000;
/** How long a pod waits for the first look at what it references. */
const LOOK_AGAIN_MS = 100;

interface Attempt {
  verdict: PodVerdict;
  retryAt: number;
  tries: number;
  /** Monotonic ms: of the first answer of this kind in a row. */
  since: number;
}

/** The consumer side: sends pods that are bound to virtual nodes to their peers, and brings their state home. Keyed by pod UID. */
export class Offloading {
  readonly controller: Controller;
  readonly #deps: OffloadingDeps;
  readonly #objects: ReferencedObjects;
  readonly #sender: ObjectSender;
  readonly #tokens: PodTokens;
  readonly #superseded: SupersededPods;
  /** Keys of offloaded pods by UID. */
  readonly #keyByUid = new Map<string, string>();
  readonly #attempts = new Map<string, Attempt>();
  /** Digests of changes that the provider refused. */
  readonly #refusedChanges = new Map<string, string>();
  readonly #events: PodEventTeller;
  readonly #pace = new WritePace();

  constructor(deps: OffloadingDeps) {
    this.#deps = deps;
    const { clock, logger } = deps;
    this.#superseded = new SupersededPods(deps);
    this.#events = new PodEventTeller(clock);
    this.controller = createController({
      name: 'offloading',
      reconcile: (uid) => this.#reconcile(uid),
      clock,
      logger,
      concurrency: 8,
    });
    this.#objects = new ReferencedObjects({
      client: (node) => deps.identities.client(node),
      clock,
      logger,
      onChange: (_node, _namespace, _object, uids) => {
        for (const uid of uids) this.controller.enqueue(uid);
      },
    });
    this.#sender = new ObjectSender(deps);
    this.#tokens = new PodTokens({
      clock,
      logger,
      random: deps.random,
      leave: deps.tokensLeave,
      deliver: (uid, secret) => this.#deliver(uid, [secret]),
    });
    this.#listen();
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#deps.pods.whenSynced(), this.#deps.nodesSynced()]);
    for (const pod of this.#deps.pods.list()) this.#note(objectKey(pod), pod);
    this.#enqueueAll();
    await Promise.all(
      [this.controller, this.#sender.controller, this.#tokens.controller].map((one) => one.run(signal)),
    );
    this.#objects.close();
  }

  #listen(): void {
    const { pods, links, identities, addresses } = this.#deps;
    pods.onChange((key, after, before) => this.#note(key, after ?? before, after === undefined));
    links.onChange((_id, change) => {
      if (typeof change === 'object') this.controller.enqueue(change.podUid);
      else if (change === 'pods' || change === 'state') this.#enqueueAll();
    });
    identities.onReady(() => {
      // Of two watches either may be ahead: a pod that was bound to a node before that was seen here is known now.
      for (const pod of pods.list()) this.#note(objectKey(pod), pod);
      this.#enqueueAll();
    });
    addresses.onChange(() => this.#enqueueAll());
  }

  #note(key: string, pod: Pod | undefined, gone = false): void {
    const uid = pod?.metadata.uid;
    if (uid === undefined || pod?.spec.nodeName === undefined) return;
    if (this.#deps.nodes.peerOf(pod.spec.nodeName) === undefined && !this.#keyByUid.has(uid)) return;
    if (!gone) this.#keyByUid.set(uid, key);
    this.controller.enqueue(uid);
  }

  #enqueueAll(): void {
    for (const uid of this.#keyByUid.keys()) this.controller.enqueue(uid);
    for (const link of this.#deps.links.list()) for (const uid of link.pods.keys()) this.controller.enqueue(uid);
  }

  async #reconcile(uid: string): Promise<ReconcileResult> {
    const local = this.#local(uid);
    const link = local === undefined ? this.#linkWith(uid) : this.#linkOf(local);
    if (local === undefined) this.#release(uid);
    if (link === undefined) return undefined;
    const remote = link.pods.get(uid);
    const now = this.#deps.clock.monotonic();
    const isStranger = local === undefined && remote?.deleting === false && link.podsSynced;
    const strangerMs = isStranger ? this.#pace.waitForStranger(link.id, now) : 0;
    if (strangerMs > 0) return { requeueAfterMs: strangerMs };
    const lastVerdict = this.#attempts.get(uid);
    const decided = local === undefined || isTerminal(local.status) || lastVerdict?.verdict.accepted === true;
    const notOffloaded = decided ? undefined : await this.#deps.offloaded.whyNot(local);
    const { actions, requeueAfterMs } = planOffloadedPod({
      local,
      remote,
      notOffloaded,
      address: this.#addressOf(link, remote),
      hostIp: this.#deps.hostIp,
      remoteKnown: link.podsSynced,
      peerUnreachable: link.state === 'Unreachable',
      replacementPendingMs: link.podsSynced ? this.#superseded.leftMs(local) : undefined,
      stoppedInMs: local && this.#deps.fencing.stoppedInMs(local, link.id),
      lastVerdict,
      held: this.#isHeld(link, lastVerdict),
      refusedDigest: this.#refusedChanges.get(uid),
      now: this.#deps.clock.monotonic(),
      wallTime: toKubeTime(this.#deps.clock.now()),
    });
    const node = local?.spec.nodeName === undefined ? undefined : this.#deps.identities.client(local.spec.nodeName);
    // Everything on our own side of a pod is done as its node.
    if (local !== undefined && node === undefined) return undefined;
    const target: ApplyTarget = { uid, local, link, node };
    if (isTerminal(local?.status)) this.#releaseObjects(uid);
    for (const action of actions) {
      // What follows from our own loss of contact waits for nothing.
      const isTold = action.type === 'patch-status' && link.state !== 'Unreachable';
      const waitMs = isTold ? this.#pace.waitForWrite(uid, link.id, now) : 0;
      if (waitMs > 0) return { requeueAfterMs: waitMs };
      if (action.type === 'record-event' && !this.#pace.mayRecord(uid, now)) continue;
      if (action.type === 'submit') return this.#submit(uid, local, link, node);
      if (action.type === 'update-remote') await this.#update(target, action.digest);
      else await applyAction(this.#deps, target, action);
    }
    const keptMs = this.#noteKept(link, remote, lastVerdict);
    const follows = local !== undefined && node !== undefined && notOffloaded === undefined;
    const tellMs = follows ? await this.#follow(local, link, node) : undefined;
    return soonest(requeueAfterMs, tellMs, keptMs);
  }

  /** Where a peer is closed for want of room, a pod that it refused asks again for a while: it is the first to know of new room. */
  #isHeld(link: PeerLink, last: Attempt | undefined): boolean {
    if (last === undefined || this.#deps.nodes.rooms.state(link.id) === 'open') return false;
    return this.#deps.clock.monotonic() - last.since < HELD_MS;
  }

  /** A pod that stays where others did not opens its peer again. @returns in how many ms it will have stayed long enough */
  #noteKept(link: PeerLink, remote: RemotePod | undefined, last: Attempt | undefined): number | undefined {
    const { rooms } = this.#deps.nodes;
    if (last?.verdict.accepted !== true || remote?.status?.phase !== 'Running' || remote.deleting) return undefined;
    if (rooms.state(link.id) === 'open') return undefined;
    const leftMs = last.since + KEPT_AFTER_MS - this.#deps.clock.monotonic();
    if (leftMs > 0) return leftMs;
    rooms.kept(link.id, last.since);
    return undefined;
  }

  async #submit(
    uid: string,
    local: Pod | undefined,
    link: PeerLink,
    node: KubeClient | undefined,
  ): Promise<ReconcileResult> {
    if (local === undefined || node === undefined) return undefined;
    const objects = this.#objects.of(local);
    if (objects !== undefined && !Array.isArray(objects)) return this.#noteVerdict(uid, local, link, objects);
    const claims = this.#deps.claimsOf(local);
    const services = this.#deps.services.servicesFor(link.id, local.metadata.namespace ?? '');
    if (objects === undefined || services === 'unknown' || claims === undefined)
      return { requeueAfterMs: LOOK_AGAIN_MS };
    const sent = this.#toSent(local, objects);
    const states = this.#statesOf(local);
    const tokens = await this.#tokens.request(node, local);
    const fencedMs = this.#deps.fencing.afterMs(local);
    const stopAfterSeconds = this.#deps.stopAfterSeconds(local.metadata.namespace ?? '');
    const submission: PodSubmission = {
      pod: sent.pod,
      virtualNode: local.spec.nodeName ?? '',
      hostIP: this.#deps.hostIp,
      objects: [...sent.objects, ...tokens],
      ...(services === 'told' ? {} : toSentState(services)),
      ...(fencedMs === undefined ? {} : { fencing: { afterSeconds: Math.ceil(fencedMs / 1_000) } }),
      ...(stopAfterSeconds === undefined ? {} : { consumerLost: { stopAfterSeconds } }),
      ...(claims.length === 0 ? {} : { claims }),
    };
    const verdict = await submitPod(link, uid, submission);
    if (verdict.accepted) this.#sender.submitted(link.id, local, states);
    return this.#noteVerdict(uid, local, link, verdict);
  }

  #noteVerdict(uid: string, local: Pod, link: PeerLink, verdict: PodVerdict): ReconcileResult {
    const before = this.#attempts.get(uid);
    const sameKind = before !== undefined && kindOf(before.verdict) === kindOf(verdict);
    const tries = sameKind ? before.tries + 1 : 1;
    const delay = retryDelayMs(verdict, tries);
    const now = this.#deps.clock.monotonic();
    this.#attempts.set(uid, { verdict, tries, retryAt: now + delay, since: sameKind ? before.since : now });
    if (!sameKind && !verdict.accepted && verdict.kind === 'room')
      this.#deps.nodes.rooms.refused(link.id, toResourceList(podRequests(local)));
    if (!verdict.accepted)
      this.#deps.logger.info(
        { pod: objectKey(local), peer: link.name, kind: verdict.kind, reason: verdict.reason },
        'pod refused',
      );
    // A refusal is shown at once; an accepted pod shows up by itself.
    return { requeueAfterMs: verdict.accepted ? delay : 0 };
  }

  /** What of a pod, and of objects for it, leaves this cluster. */
  #toSent(local: Pod, objects: readonly ConfigObject[] = []): { pod: Pod; objects: ConfigObject[] } {
    const { status: _, ...rest } = local;
    const pod = withNamedClaims(rest as Pod);
    const leave = this.#deps.tokensLeave(local.metadata.namespace ?? '');
    return {
      pod: leave ? pod : withoutTokens(pod),
      objects: objects.filter((object) => leave || !isTokenOfAccount(object)).map(toSentObject),
    };
  }

  /** What the pod references, where tokens stay at home without those. */
  #statesOf(local: Pod): ObjectState[] {
    const leave = this.#deps.tokensLeave(local.metadata.namespace ?? '');
    return this.#objects
      .statesOf(local)
      .map((state) =>
        state.object === undefined || leave || !isTokenOfAccount(state.object)
          ? state
          : { ...state, object: undefined },
      );
  }

  /** Sends what the owner changed. A refusal is told once, and again only after another change. */
  async #update({ uid, local, link, node }: ApplyTarget, digest: string): Promise<void> {
    if (local === undefined || node === undefined) return;
    try {
      await link.call('updatePod', { params: { uid }, body: { pod: this.#toSent(local).pod } });
      this.#refusedChanges.delete(uid);
    } catch (error) {
      if (!hasCode(error, 'Forbidden', 'InvalidArgument', 'NotFound')) throw error;
      this.#refusedChanges.set(uid, digest);
      const message = `${link.name} does not make this change to the pod: ${error.message}`;
      const at = this.#deps.clock.now();
      const event = { id: `change${digest}`, eventType: 'Warning', reason: 'ChangeRefused', message, count: 1, at };
      await recordEvent(node, local, event);
    }
  }

  /**
   * What a pod that runs there needs from home: changed objects, fresh tokens, and what happens to it told.
   * @returns in how many milliseconds there is more to tell
   */
  async #follow(local: Pod, link: PeerLink, node: KubeClient): Promise<number | undefined> {
    const { uid = '' } = local.metadata;
    const remote = link.pods.get(uid);
    if (remote === undefined || isTerminal(local.status) || local.metadata.deletionTimestamp !== undefined)
      return undefined;
    this.#objects.of(local);
    this.#sender.follow(link.id, local, this.#statesOf(local));
    this.#tokens.keep(local, node);
    return this.#events.tell(local, remote, node);
  }

  async #deliver(uid: string, objects: ConfigObject[]): Promise<void> {
    const local = this.#local(uid);
    const link = local === undefined ? undefined : this.#linkOf(local);
    if (local === undefined || link?.pods.has(uid) !== true) return;
    await link.call('updateObjects', { params: { namespace: local.metadata.namespace ?? '' }, body: { objects } });
  }

  #addressOf({ id }: PeerLink, remote: RemotePod | undefined): ShownAddress {
    // A pod that has not got its address there yet shows none here; one that lost it by its end keeps what it showed.
    const { podIP } = remote?.status ?? {};
    return podIP === undefined ? undefined : this.#deps.addresses.imageOf(id, podIP);
  }

  #local(uid: string): Pod | undefined {
    const key = this.#keyByUid.get(uid);
    const pod = key === undefined ? undefined : this.#deps.pods.get(key);
    return pod?.metadata.uid === uid ? pod : undefined;
  }

  #linkOf(pod: Pod): PeerLink | undefined {
    const peerId = this.#deps.nodes.peerOf(pod.spec.nodeName ?? '');
    return peerId === undefined ? undefined : this.#deps.links.get(peerId);
  }

  #linkWith(uid: string): PeerLink | undefined {
    return this.#deps.links.list().find((link) => link.pods.has(uid));
  }

  /** Of a pod that has ended nothing is sent any more. */
  #releaseObjects(uid: string): void {
    this.#objects.release(uid);
    this.#sender.release(uid);
    this.#tokens.release(uid);
  }

  #release(uid: string): void {
    this.#keyByUid.delete(uid);
    this.#attempts.delete(uid);
    this.#events.release(uid);
    this.#pace.release(uid);
    this.#refusedChanges.delete(uid);
    this.#releaseObjects(uid);
    this.#superseded.release(uid);
  }
}

/** The earliest of some times from now on, as a result. */
function soonest(...times: (number | undefined)[]): ReconcileResult {
  const known = times.filter((ms) => ms !== undefined);
  return known.length === 0 ? undefined : { requeueAfterMs: Math.min(...known) };
}

function kindOf(verdict: PodVerdict): string {
  return verdict.accepted ? 'accepted' : verdict.kind;
}
