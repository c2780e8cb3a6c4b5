import { createHash } from 'node:crypto';
import { hasCode } from '../../core/coded-error.ts';
import type { Pod } from '../../core/kube-objects.ts';
import { isTerminal } from '../../core/pod-phase.ts';
import { type SentService, type ServiceProblem, toSentState } from '../../core/service/sent-service.ts';
import { shownProblems } from '../../core/service/shown-problems.ts';
import { toSentServices } from '../../core/service/to-sent-services.ts';
import type { KubeClient } from '../../kube/client.ts';
import { NamespaceWatch } from '../../kube/namespace-watch.ts';
import type { Store } from '../../kube/store.ts';
import { aborted } from '../../runtime/aborted.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PeerLink, PeerLinks, PodAddresses, ServiceSource, VirtualNodes } from '../ports.ts';
import { ProblemEvents } from './problem-events.ts';

export interface ServiceSenderDeps {
  client: Pick<KubeClient, 'list' | 'stream' | 'create'>;
  /** All pods of this cluster. */
  pods: Store<Pod>;
  nodesSynced(): Promise<void>;
  nodes: Pick<VirtualNodes, 'peerOf'>;
  /** Whether a pod may be on its peer: its namespace is told there for no other. */
  mayLeave(pod: Pod): boolean;
  links: PeerLinks;
  addresses: PodAddresses;
  clock: Clock;
  logger: Logger;
}

/** A peer that could not take over all Services is asked again after this long: somebody may have made room. */
const PROBLEM_RETRY_MS = 60_000;
/** How soon to look again while caches or addresses are not known. */
const LOOK_AGAIN_MS = 500;
/** What is longer does not travel with a pod, whose objects need the room, but right after it. */
const MAX_CHARS_WITH_POD = 1024 * 1024;
/** A namespace is followed for a while after its last offloaded pod went, since the next often comes at once. */
const UNFOLLOW_AFTER_MS = 30_000;

/**
 * The consumer side of Services: tells each peer that runs pods of a namespace all of the namespace's Services and their
 * endpoints, whenever they changed. Keys are `PEER/NAMESPACE`, and `/NAMESPACE` for the watch itself.
 */
export class ServiceSender implements ServiceSource {
  readonly controller: Controller;
  readonly #deps: ServiceSenderDeps;
  readonly #watch: NamespaceWatch;
  /** Hash of what the peer took over in its present session, by key. */
  readonly #told = new Map<string, string>();
  /** UIDs of the pods on each peer, by key. */
  readonly #podsOf = new Map<string, Set<string>>();
  readonly #problems: ProblemEvents;

  constructor(deps: ServiceSenderDeps) {
    this.#deps = deps;
    const { client, clock, logger } = deps;
    this.#problems = new ProblemEvents(deps);
    this.#watch = new NamespaceWatch({ client, clock, logger, onChange: (namespace) => this.#enqueue(namespace) });
    this.controller = createController({
      name: 'service-sender',
      reconcile: (key) => this.#reconcile(key),
      clock,
      logger,
      concurrency: 4,
    });
    this.#listen();
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.race([Promise.all([this.#deps.pods.whenSynced(), this.#deps.nodesSynced()]), aborted(signal)]);
    for (const pod of this.#deps.pods.list()) this.#note(pod, undefined);
    await this.controller.run(signal);
    this.#watch.unfollow();
  }

  servicesFor(peerId: string, namespace: string): SentService[] | 'told' | 'unknown' {
    if (this.#told.has(`${peerId}/${namespace}`)) return 'told';
    const services = this.#servicesOf(namespace);
    if (services === undefined) return 'unknown';
    return JSON.stringify(services).length > MAX_CHARS_WITH_POD ? 'told' : services;
  }

  /** What a peer has to know of a namespace now; undefined while it is not known here. */
  #servicesOf(namespace: string): SentService[] | undefined {
    const { pods, nodes, addresses } = this.#deps;
    this.#watch.follow(namespace);
    if (!addresses.synced) return undefined;
    const found = this.#watch.of(namespace);
    if (found === undefined) return undefined;
    return toSentServices({
      ...found,
      namespace,
      pod: (name) => pods.get(`${namespace}/${name}`),
      isOffloaded: (pod) => nodes.peerOf(pod.spec.nodeName ?? '') !== undefined,
      toImage: (local) => addresses.toImage(local),
    });
  }

  #listen(): void {
    const { pods, links, addresses } = this.#deps;
    pods.onChange((_key, after, before) => {
      this.#note(after, before);
      // Endpoints name pods: one that a slice named before its pod was seen here is known now.
      if (addressOf(after) !== addressOf(before)) this.#enqueue((after ?? before)?.metadata.namespace ?? '');
    });
    links.onChange((id, change) => {
      if (change === 'pods') this.#forget(id);
      if (change === 'pods' || change === 'removed' || change === 'state') this.#enqueuePeer(id);
      else if (typeof change === 'object') this.#onRemotePod(id, change.podUid);
    });
    addresses.onChange(() => {
      for (const key of this.#podsOf.keys()) this.controller.enqueue(key);
    });
  }

  #note(after: Pod | undefined, before: Pod | undefined): void {
    const pod = after ?? before;
    const { uid, namespace } = pod?.metadata ?? {};
    const peerId = pod?.spec.nodeName === undefined ? undefined : this.#deps.nodes.peerOf(pod.spec.nodeName);
    if (pod === undefined || uid === undefined || namespace === undefined || peerId === undefined) return;
    const key = `${peerId}/${namespace}`;
    const uids = this.#podsOf.get(key) ?? new Set();
    if (after === undefined || isTerminal(after.status)) {
      if (!uids.delete(uid) || uids.size > 0) return;
      this.#podsOf.delete(key);
      this.#told.delete(key);
      this.controller.enqueueAfter(`/${namespace}`, UNFOLLOW_AFTER_MS);
      return;
    }
    if (uids.has(uid) || !this.#deps.mayLeave(after)) return;
    this.#podsOf.set(key, uids.add(uid));
    this.#watch.follow(namespace);
    this.controller.enqueue(key);
  }

  /** The first pod there makes the namespace one that has a twin. */
  #onRemotePod(peerId: string, podUid: string): void {
    for (const [key, uids] of this.#podsOf) {
      if (key.startsWith(`${peerId}/`) && uids.has(podUid) && !this.#told.has(key)) this.controller.enqueue(key);
    }
  }

  /** A new session: the peer may be another process, or have lost the twin. */
  #forget(peerId: string): void {
    for (const key of [...this.#told.keys()]) if (key.startsWith(`${peerId}/`)) this.#told.delete(key);
  }

  #enqueue(namespace: string): void {
    for (const key of this.#podsOf.keys()) if (key.endsWith(`/${namespace}`)) this.controller.enqueue(key);
  }

  #enqueuePeer(peerId: string): void {
    for (const key of this.#podsOf.keys()) if (key.startsWith(`${peerId}/`)) this.controller.enqueue(key);
  }

  async #reconcile(key: string): Promise<ReconcileResult> {
    const [peerId = '', namespace = ''] = key.split('/');
    if (peerId === '') return this.#unfollowUnused(namespace);
    const link = this.#deps.links.get(peerId);
    if (link === undefined || !this.#hasTwin(link, key)) return undefined;
    const services = this.#servicesOf(namespace);
    if (services === undefined) return { requeueAfterMs: LOOK_AGAIN_MS };
    const hash = createHash('sha256').update(JSON.stringify(services)).digest('base64');
    if (this.#told.get(key) === hash) return undefined;
    const problems = await this.#send(link, namespace, services);
    if (problems === undefined) return undefined;
    this.#told.set(key, hash);
    const all = this.#watch.of(namespace)?.services ?? [];
    await this.#problems.report(link, problems, (name) => all.find(({ metadata }) => metadata.name === name));
    if (problems.length === 0) return undefined;
    this.#told.delete(key);
    return { requeueAfterMs: PROBLEM_RETRY_MS };
  }

  async #send(link: PeerLink, namespace: string, services: SentService[]): Promise<ServiceProblem[] | undefined> {
    try {
      const { problems } = await link.call('updateServices', { params: { namespace }, body: toSentState(services) });
      return shownProblems(problems);
    } catch (error) {
      // The session tells when the peer is back, or has the first pod of the namespace.
      if (hasCode(error, 'Unavailable') && link.state !== 'Connected') return undefined;
      throw error;
    }
  }

  /** Only where a pod arrived there is a twin namespace; only then, too, the peer has anything to gain. */
  #hasTwin(link: PeerLink, key: string): boolean {
    if (!link.podsSynced) return false;
    return [...(this.#podsOf.get(key) ?? [])].some((uid) => link.pods.has(uid));
  }

  #unfollowUnused(namespace: string): undefined {
    const used = [...this.#podsOf.keys()].some((key) => key.endsWith(`/${namespace}`));
    if (!used) this.#watch.unfollow(namespace);
    return undefined;
  }
}

function addressOf(pod: Pod | undefined): string {
  return `${pod?.spec.nodeName ?? ''} ${pod?.status?.podIP ?? ''}`;
}
