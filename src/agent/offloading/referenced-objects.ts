import { CodedError } from '../../core/coded-error.ts';
import type { PodVerdict } from '../../core/exchange/pod-submission.ts';
import type { ConfigObject, Pod } from '../../core/kube-objects.ts';
import {
  type ObjectReference,
  referencedByDebuggers,
  referencedObjects,
  refusalOfReferences,
} from '../../core/reflection/references.ts';
import type { KubeClient } from '../../kube/client.ts';
import { Reflector } from '../../kube/reflector.ts';
import { CONFIG_MAPS, SECRETS } from '../../kube/resources.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { ObjectState } from './object-sender.ts';

/** Watches in all; each is some 25 kB here, and a goroutine or two of the API server. */
const MAX_WATCHES = 2_000;
/** Objects in all, as JSON. */
const MAX_BYTES = 32 * 1024 * 1024;

export interface ReferencedObjectsDeps {
  /** API access as the node identity of a virtual node: the Node authorizer lets it see just what its pods reference. */
  client(virtualNode: string): Pick<KubeClient, 'list' | 'stream'> | undefined;
  clock: Clock;
  logger: Logger;
  /** An object that pods on this virtual node reference appeared, changed or went (undefined). */
  onChange(
    virtualNode: string,
    namespace: string,
    object: ConfigObject | undefined,
    podUids: ReadonlySet<string>,
  ): void;
  maxWatches?: number;
  maxBytes?: number;
}

/** What one namespace may have of the watches and of the memory of this agent: others need some as well. */
const NAMESPACE_SHARE = { watches: 0.25, bytes: 0.5 };

interface Watched {
  namespace: string;
  reflector: Reflector<ConfigObject>;
  stop: AbortController;
  users: Set<string>;
  /** Of the object, as JSON. */
  bytes: number;
  /** There was no room for it: only its name is kept. */
  isLeftOut: boolean;
}

/** The part of a verdict on a pod for which not all that it references can be followed. */
export type ReferencesRefusal = Extract<PodVerdict, { accepted: false }>;

/** Follows the ConfigMaps and Secrets that offloaded pods reference, each by its name, as a kubelet does. */
export class ReferencedObjects {
  readonly #deps: ReferencedObjectsDeps;
  readonly #watched = new Map<string, Watched>();

  constructor(deps: ReferencedObjectsDeps) {
    this.#deps = deps;
  }

  /**
   * The objects of a pod, or undefined while some were not looked up yet; a refusal when there are too many, or more than there is
   * room for. Objects that do not exist are left out. Those of its debuggers, which come later than the pod, are told when they are
   * seen, if there is room.
   */
  of(pod: Pod): ConfigObject[] | ReferencesRefusal | undefined {
    const { namespace = '', uid = '' } = pod.metadata;
    const { nodeName = '' } = pod.spec;
    const references = referencedObjects(pod);
    const refusalOf = (all: ObjectReference[]) =>
      refusalOfReferences(all) ?? this.#refusalForRoom(nodeName, namespace, all);
    const refusal = refusalOf(references);
    if (refusal !== undefined) return refusal;
    const follow = (reference: ObjectReference) => this.#follow(nodeName, namespace, reference, uid);
    const watches = references.map(follow);
    const ofDebuggers = referencedByDebuggers(pod);
    if (refusalOf([...references, ...ofDebuggers]) === undefined)
      for (const reference of ofDebuggers) follow(reference);
    if (watches.some((watched) => watched === undefined || !watched.reflector.synced)) return undefined;
    if (watches.some((watched) => watched?.isLeftOut)) return noRoom(namespace, 'are too large together');
    return watches.flatMap((watched) => watched?.reflector.list() ?? []);
  }

  /** What the pod references, debuggers included, as far as it was looked up and there was room for it. */
  statesOf(pod: Pod): ObjectState[] {
    const { namespace = '' } = pod.metadata;
    return [...referencedObjects(pod), ...referencedByDebuggers(pod)].flatMap((reference) => {
      const watched = this.#watched.get(keyOf(pod.spec.nodeName ?? '', namespace, reference));
      if (watched === undefined || watched.isLeftOut || !watched.reflector.synced) return [];
      return [{ reference, object: watched.reflector.list()[0] }];
    });
  }

  /** To be called when a pod is gone, or has ended: what only it referenced is followed no longer. */
  release(podUid: string): void {
    for (const [key, watched] of this.#watched) {
      if (watched.users.delete(podUid) && watched.users.size === 0) this.#drop(key);
    }
  }

  close(): void {
    for (const key of [...this.#watched.keys()]) this.#drop(key);
  }

  #drop(key: string): void {
    this.#watched.get(key)?.stop.abort();
    this.#watched.delete(key);
  }

  #refusalForRoom(
    virtualNode: string,
    namespace: string,
    references: readonly ObjectReference[],
  ): ReferencesRefusal | undefined {
    const added = references.filter((reference) => !this.#watched.has(keyOf(virtualNode, namespace, reference))).length;
    if (added === 0) return undefined;
    const own = [...this.#watched.values()].filter((watched) => watched.namespace === namespace).length;
    const { maxWatches = MAX_WATCHES } = this.#deps;
    if (own + added > maxWatches * NAMESPACE_SHARE.watches) return noRoom(namespace, 'are too many together');
    if (this.#watched.size + added > maxWatches) return noRoom(undefined, 'are too many together');
    return undefined;
  }

  #follow(virtualNode: string, namespace: string, reference: ObjectReference, podUid: string): Watched | undefined {
    const key = keyOf(virtualNode, namespace, reference);
    const known = this.#watched.get(key);
    if (known?.isLeftOut === true && this.#hasRoomFor(known)) this.#drop(key);
    else if (known !== undefined) {
      known.users.add(podUid);
      return known;
    }
    if (this.#deps.client(virtualNode) === undefined) return undefined;
    const users = known?.users ?? new Set<string>();
    return this.#start(key, { virtualNode, namespace, reference, users: users.add(podUid) });
  }

  #start(key: string, { virtualNode, namespace, reference: { kind, name }, users }: Start): Watched {
    const reflector = new Reflector<ConfigObject>({
      client: this.#clientOf(virtualNode, key),
      type: kind === 'ConfigMap' ? CONFIG_MAPS : SECRETS,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      // Items of a list come without their kind.
      slim: (object) => this.#takeIn(watched, { ...object, kind }),
      clock: this.#deps.clock,
      logger: this.#deps.logger,
    });
    const stop = new AbortController();
    const watched: Watched = { namespace, reflector, stop, users, bytes: 0, isLeftOut: false };
    this.#watched.set(key, watched);
    reflector.onChange((_key, after) => {
      if (after === undefined) watched.bytes = 0;
      if (!watched.isLeftOut) this.#deps.onChange(virtualNode, namespace, after, users);
    });
    void reflector.run(stop.signal);
    return watched;
  }

  /** The object, or what remains of one that there is no room for. */
  #takeIn(watched: Watched, object: ConfigObject): ConfigObject {
    watched.bytes = JSON.stringify(object).length;
    watched.isLeftOut = !this.#hasRoomFor(watched);
    if (!watched.isLeftOut) return object;
    const { kind, metadata } = object;
    const { name, namespace, uid, resourceVersion } = metadata;
    return { kind, metadata: { name, namespace, uid, resourceVersion } } as ConfigObject;
  }

  #hasRoomFor(watched: Watched): boolean {
    const { maxBytes = MAX_BYTES } = this.#deps;
    let [all, own] = [watched.bytes, watched.bytes];
    for (const other of this.#watched.values()) {
      if (other === watched || other.isLeftOut) continue;
      all += other.bytes;
      if (other.namespace === watched.namespace) own += other.bytes;
    }
    return all <= maxBytes && own <= maxBytes * NAMESPACE_SHARE.bytes;
  }

  /**
   * Each call by the identity that the node has then: with its next certificate it gets another client, and the former is closed. A
   * node that has none any more is followed no longer; when it has one again its pods are looked at anew.
   */
  #clientOf(virtualNode: string, key: string): Pick<KubeClient, 'list' | 'stream'> {
    const current = () => {
      const client = this.#deps.client(virtualNode);
      if (client !== undefined) return client;
      this.#drop(key);
      throw new CodedError('Unavailable', `${virtualNode} has no identity`);
    };
    return {
      list: async (...args) => current().list(...args),
      stream: async (...args) => current().stream(...args),
    };
  }
}

interface Start {
  virtualNode: string;
  namespace: string;
  reference: ObjectReference;
  users: Set<string>;
}

function keyOf(virtualNode: string, namespace: string, { kind, name }: ObjectReference): string {
  return `${virtualNode}/${namespace}/${kind}/${name}`;
}

/** There is room again when other pods have ended. @param namespace whose share is used up; undefined: all is used */
function noRoom(namespace: string | undefined, why: string): ReferencesRefusal {
  const whose = namespace === undefined ? 'all offloaded pods' : `the offloaded pods of namespace ${namespace}`;
  const message = `the ConfigMaps and Secrets that ${whose} name ${why} for the agent to follow; it is tried again as others end`;
  return { accepted: false, kind: 'later', reason: 'TooManyObjects', message };
}
