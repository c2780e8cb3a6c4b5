import { CodedError } from '../../core/coded-error.ts';
import type { ConfigObject, Pod } from '../../core/kube-objects.ts';
import { type ObjectReference, referencedByDebuggers, referencedObjects } from '../../core/reflection/references.ts';
import type { KubeClient } from '../../kube/client.ts';
import { Reflector } from '../../kube/reflector.ts';
import { CONFIG_MAPS, SECRETS } from '../../kube/resources.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/logger.ts';

export interface ReferencedObjectsDeps {
  /** API access as the node identity of a virtual node: the Node authorizer lets it see just what its pods reference. */
  client(virtualNode: string): Pick<KubeClient, 'list' | 'stream'> | undefined;
  clock: Clock;
  logger: Logger;
  /** An object that pods on this virtual node reference appeared or changed. */
  onChange(virtualNode: string, namespace: string, object: ConfigObject, podUids: ReadonlySet<string>): void;
}

interface Watched {
  reflector: Reflector<ConfigObject>;
  stop: AbortController;
  users: Set<string>;
}

/** Follows the ConfigMaps and Secrets that offloaded pods reference, each by its name, as a kubelet does. */
export class ReferencedObjects {
  readonly #deps: ReferencedObjectsDeps;
  readonly #watched = new Map<string, Watched>();

  constructor(deps: ReferencedObjectsDeps) {
    this.#deps = deps;
  }

  /**
   * The objects of a pod, or undefined while some were not looked up yet. Objects that do not exist are left out. Those of its
   * debuggers, which come later than the pod, are told when they are seen.
   */
  of(pod: Pod): ConfigObject[] | undefined {
    const { namespace = '', uid = '' } = pod.metadata;
    const { nodeName = '' } = pod.spec;
    const follow = (reference: ObjectReference) => this.#follow(nodeName, namespace, reference, uid);
    const watches = referencedObjects(pod).map(follow);
    for (const reference of referencedByDebuggers(pod)) follow(reference);
    if (watches.some((watched) => watched === undefined || !watched.reflector.synced)) return undefined;
    return watches.flatMap((watched) => watched?.reflector.list() ?? []);
  }

  /** To be called when a pod is gone: what only it referenced is followed no longer. */
  release(podUid: string): void {
    for (const [key, watched] of this.#watched) {
      if (!watched.users.delete(podUid) || watched.users.size > 0) continue;
      watched.stop.abort();
      this.#watched.delete(key);
    }
  }

  close(): void {
    for (const { stop } of this.#watched.values()) stop.abort();
    this.#watched.clear();
  }

  #follow(
    virtualNode: string,
    namespace: string,
    { kind, name }: ObjectReference,
    podUid: string,
  ): Watched | undefined {
    const key = `${virtualNode}/${namespace}/${kind}/${name}`;
    const known = this.#watched.get(key);
    if (known !== undefined) {
      known.users.add(podUid);
      return known;
    }
    if (this.#deps.client(virtualNode) === undefined) return undefined;
    const users = new Set([podUid]);
    const reflector = new Reflector<ConfigObject>({
      client: this.#clientOf(virtualNode),
      type: kind === 'ConfigMap' ? CONFIG_MAPS : SECRETS,
      namespace,
      fieldSelector: `metadata.name=${name}`,
      // Items of a list come without their kind.
      slim: (object) => ({ ...object, kind }),
      clock: this.#deps.clock,
      logger: this.#deps.logger,
    });
    const stop = new AbortController();
    const watched = { reflector, stop, users };
    this.#watched.set(key, watched);
    reflector.onChange((_key, after) => {
      if (after !== undefined) this.#deps.onChange(virtualNode, namespace, after, users);
    });
    void reflector.run(stop.signal);
    return watched;
  }

  /** Each call by the identity that the node has then: with its next certificate it gets another client, and the former is closed. */
  #clientOf(virtualNode: string): Pick<KubeClient, 'list' | 'stream'> {
    const current = () => {
      const client = this.#deps.client(virtualNode);
      if (client === undefined) throw new CodedError('Unavailable', `${virtualNode} has no identity`);
      return client;
    };
    return {
      list: async (...args) => current().list(...args),
      stream: async (...args) => current().stream(...args),
    };
  }
}
