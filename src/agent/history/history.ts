import { HISTORY_CONFIG_MAP, HISTORY_KEY, type Moment, parseMoments, remember } from '../../core/history/moment.ts';
import { momentsOfPeer } from '../../core/history/peer-moments.ts';
import { PodHistory } from '../../core/history/pod-moments.ts';
import { controllerOf, type KubeObject, type Node, type Pod } from '../../core/kube-objects.ts';
import { MANAGED_BY, MANAGED_BY_LABEL, PEER_LABEL } from '../../core/labels.ts';
import type { PeerObject } from '../../core/membership/peer-object.ts';
import { isNotFound } from '../../kube/api-error.ts';
import type { KubeClient } from '../../kube/client.ts';
import { CONFIG_MAPS } from '../../kube/resources.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';

export interface HistoryDeps {
  client: Pick<KubeClient, 'get' | 'apply'>;
  /** That of the agent. */
  namespace: string;
  peers: Store<PeerObject>;
  nodes: Store<Node>;
  pods: Store<Pod>;
  /** Of this agent. */
  version: string;
  clock: Clock;
  logger: Logger;
}

type ConfigMap = KubeObject & { data?: Record<string, string> };

const KEY = '';
/** What happens at once is one write. */
const GATHER_MS = 2_000;

/**
 * Remembers what happened, over restarts and for longer than Events are kept: joins, losses, failovers with their time, moves, refusals. Bounded
 * in number and length; nothing is written while nothing happens.
 */
export class History {
  readonly controller: Controller;
  readonly #deps: HistoryDeps;
  readonly #pods: PodHistory;
  /** When each peer that is not connected was heard of last, by name; milliseconds since 1970. */
  readonly #silentSince = new Map<string, number>();
  readonly #byController = new Map<string, Map<string, Pod>>();
  #moments: Moment[] | undefined;
  /** Of before what was stored is known. */
  #early: Moment[] = [];

  constructor(deps: HistoryDeps) {
    this.#deps = deps;
    const { peers, pods, clock, logger } = deps;
    this.controller = createController({ name: 'history', reconcile: () => this.#store(), clock, logger });
    this.#pods = new PodHistory({
      peerOf: (nodeName) => this.#peerOf(nodeName),
      silentSince: (peer) => this.#silentSince.get(peer),
      siblings: (uid) => [...(this.#byController.get(uid)?.values() ?? [])],
    });
    peers.onChange((_key, after, before) => this.#notePeer(before, after));
    pods.onChange((key, after, before) => this.#notePod(key, before, after));
  }

  run(signal: AbortSignal): Promise<void> {
    const { version, clock } = this.#deps;
    const at = new Date(clock.now()).toISOString();
    this.#note([{ at, kind: 'started', text: `headcut ${version}` }]);
    return this.controller.run(signal);
  }

  #notePeer(before: PeerObject | undefined, after: PeerObject | undefined): void {
    const now = this.#deps.clock.now();
    const name = after?.metadata.name ?? before?.metadata.name ?? '';
    const connected = after === undefined || after.status?.state === 'Connected';
    if (connected) this.#silentSince.delete(name);
    else if (!this.#silentSince.has(name)) this.#silentSince.set(name, now);
    // The first list is what there was before.
    if (this.#deps.peers.synced) this.#note(momentsOfPeer(before, after, now));
  }

  #notePod(key: string, before: Pod | undefined, after: Pod | undefined): void {
    this.#file(key, before, after);
    if (this.#deps.pods.synced) this.#note(this.#pods.note(before, after, this.#deps.clock.now()));
  }

  /** A pod may leave its controller and live on: by `kubectl delete --cascade=orphan`, or another label. */
  #file(key: string, before: Pod | undefined, after: Pod | undefined): void {
    const [left, uid] = [before, after].map((pod) => pod && controllerOf(pod)?.uid);
    if (left !== undefined && left !== uid) {
      const siblings = this.#byController.get(left);
      siblings?.delete(key);
      if (siblings?.size === 0) this.#byController.delete(left);
    }
    if (uid === undefined || after === undefined) return;
    const siblings = this.#byController.get(uid) ?? new Map<string, Pod>();
    this.#byController.set(uid, siblings.set(key, after));
  }

  #peerOf(nodeName: string | undefined): string | undefined {
    const { nodes, peers } = this.#deps;
    const id = nodes.get(nodeName ?? '')?.metadata.labels?.[PEER_LABEL];
    if (id === undefined) return undefined;
    return peers.list().find(({ spec }) => spec.id === id)?.metadata.name;
  }

  #note(moments: readonly Moment[]): void {
    if (moments.length === 0) return;
    if (this.#moments === undefined) this.#early.push(...moments);
    else this.#add(moments);
    this.controller.enqueueAfter(KEY, GATHER_MS);
  }

  #add(moments: readonly Moment[]): void {
    const now = this.#deps.clock.now();
    for (const moment of moments) this.#moments = remember(this.#moments ?? [], moment, now);
  }

  async #store(): Promise<void> {
    const { client, namespace } = this.#deps;
    if (this.#moments === undefined) {
      this.#moments = parseMoments((await this.#read())?.data?.[HISTORY_KEY]);
      this.#add(this.#early);
      this.#early = [];
    }
    const metadata = { namespace, name: HISTORY_CONFIG_MAP, labels: { [MANAGED_BY_LABEL]: MANAGED_BY } };
    const data = { [HISTORY_KEY]: JSON.stringify(this.#moments) };
    await client.apply<ConfigMap>(CONFIG_MAPS, { metadata, data }, { force: true });
  }

  async #read(): Promise<ConfigMap | undefined> {
    const { client, namespace } = this.#deps;
    try {
      return await client.get<ConfigMap>(CONFIG_MAPS, { namespace, name: HISTORY_CONFIG_MAP });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}
