import type { ConfigObject, Pod } from '../../core/kube-objects.ts';
import type { ObjectReference } from '../../core/reflection/references.ts';
import { toSentObject } from '../../core/reflection/reflected-object.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { PeerLink, PeerLinks } from '../ports.ts';

export interface ObjectSenderDeps {
  links: Pick<PeerLinks, 'get'>;
  clock: Clock;
  logger: Logger;
}

/** What a pod references, as it is now. */
export interface ObjectState {
  reference: ObjectReference;
  /** Undefined: there is none. */
  object: ConfigObject | undefined;
}

/** Longest name of an object (RFC 1123 subdomain). */
const MAX_NAME = 253;

interface Kept extends ObjectState {
  peerId: string;
  namespace: string;
  /** UIDs of the pods there that reference it. */
  users: Set<string>;
  /** What the peer has, as a version; undefined: not known. */
  sent: string | undefined;
}

/**
 * Keeps the ConfigMaps and Secrets that pods on peers reference there as they are at home, also when one goes. Keyed by peer,
 * namespace and object, so that two states of one object never overtake each other; what failed is tried again.
 */
export class ObjectSender {
  readonly controller: Controller;
  readonly #deps: ObjectSenderDeps;
  readonly #kept = new Map<string, Kept>();

  constructor(deps: ObjectSenderDeps) {
    this.#deps = deps;
    this.controller = createController({ ...deps, name: 'objects', reconcile: (key) => this.#send(key) });
  }

  /** The peer took the pod, with all that it references in these states. */
  submitted(peerId: string, pod: Pod, states: readonly ObjectState[]): void {
    for (const state of states) {
      const key = this.#keep(peerId, pod, state);
      const kept = this.#kept.get(key);
      if (kept !== undefined) kept.sent = versionOf(state.object);
    }
  }

  /** The pod runs there: what it references shall be so. Harmless when it is. */
  follow(peerId: string, pod: Pod, states: readonly ObjectState[]): void {
    for (const state of states) {
      // There can be no object of such a name, and nothing is to be said of it.
      if (state.reference.name.length > MAX_NAME) continue;
      const key = this.#keep(peerId, pod, state);
      if (this.#kept.get(key)?.sent !== versionOf(state.object)) this.controller.enqueue(key);
    }
  }

  /** To be called when a pod is gone, or has ended. */
  release(podUid: string): void {
    for (const [key, { users }] of this.#kept) if (users.delete(podUid) && users.size === 0) this.#kept.delete(key);
  }

  #keep(peerId: string, { metadata }: Pod, state: ObjectState): string {
    const { namespace = '', uid = '' } = metadata;
    const { kind, name } = state.reference;
    const key = `${peerId}/${namespace}/${kind}/${name}`;
    const known = this.#kept.get(key);
    if (known === undefined) {
      this.#kept.set(key, { ...state, peerId, namespace, users: new Set([uid]), sent: undefined });
    } else {
      known.users.add(uid);
      known.object = state.object;
    }
    return key;
  }

  async #send(key: string): Promise<undefined> {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    const { object, reference, namespace, peerId } = kept;
    const version = versionOf(object);
    const link = this.#deps.links.get(peerId);
    // What is to be sent is looked at again with the pods, when the peer is back.
    if (kept.sent === version || link === undefined || !isReached(link)) return;
    const body = object === undefined ? { objects: [], gone: [reference] } : { objects: [toSentObject(object)] };
    await link.call('updateObjects', { params: { namespace }, body });
    kept.sent = version;
  }
}

function isReached({ state }: PeerLink): boolean {
  return state !== 'Unreachable';
}

function versionOf(object: ConfigObject | undefined): string {
  return object === undefined ? 'absent' : `${object.metadata.uid}/${object.metadata.resourceVersion}`;
}
