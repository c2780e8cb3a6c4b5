import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KubeObject, Node, Pod } from '../../src/core/kube-objects.ts';
import { createKubeClient } from '../../src/kube/client.ts';
import { kubeconfigConnection } from '../../src/kube/kubeconfig.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { ENDPOINT_SLICES, NODES, PODS, type ResourceType } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { labFolder } from './bench-lab.ts';

interface EndpointSlice extends KubeObject {
  endpoints?: { addresses?: string[]; conditions?: { ready?: boolean } }[] | null;
}

/** What one cluster shows of the bench's namespace: at home itself, on a provider its twin. */
export interface ClusterView {
  nodes: Reflector<Node>;
  pods: Reflector<Pod>;
  slices: Reflector<EndpointSlice>;
}

export const isReady = ({ status }: Pod | Node): boolean =>
  status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;

/** Follows several clusters at once, from outside, and takes the time at which something becomes true there. */
export class ObservedWorld implements Disposable {
  readonly #views = new Map<string, ClusterView>();
  readonly #namespace: { home: string; name: string };
  readonly #stop = new AbortController();
  readonly #looks = new Set<() => void>();

  /** @param namespace where it is, and its name; on other clusters its twins are looked at */
  constructor(namespace: { home: string; name: string }) {
    this.#namespace = namespace;
  }

  view(cluster: string): ClusterView {
    const view = this.#views.get(cluster);
    if (view === undefined) throw new Error(`cluster ${cluster} is not followed`);
    return view;
  }

  /** Begins to follow a cluster, or does so anew; resolves when its state is known. */
  async follow(context: string): Promise<void> {
    const client = createKubeClient(await kubeconfigConnection({ path: join(labFolder, 'kubeconfig'), context }));
    const { home, name } = this.#namespace;
    const there = context === home ? { namespace: name } : { labelSelector: `headcut.dev/origin-namespace=${name}` };
    const follow = async <T extends KubeObject>(type: ResourceType, selection: object): Promise<Reflector<T>> => {
      const reflector = new Reflector<T>({ client, type, ...selection, clock: systemClock, logger: silentLogger });
      reflector.onChange(() => this.#look());
      void reflector.run(this.#stop.signal);
      await reflector.whenSynced();
      return reflector;
    };
    const [nodes, pods, slices] = await Promise.all([
      follow<Node>(NODES, {}),
      follow<Pod>(PODS, there),
      follow<EndpointSlice>(ENDPOINT_SLICES, there),
    ]);
    this.#views.set(context, { nodes, pods, slices });
    this.#look();
  }

  /** Ready addresses of all Services of the namespace, as that cluster has them. */
  endpoints(cluster: string): Set<string> {
    const endpoints = this.view(cluster)
      .slices.list()
      .flatMap((slice) => slice.endpoints ?? []);
    return new Set(
      endpoints.filter(({ conditions }) => conditions?.ready !== false).flatMap((one) => one.addresses ?? []),
    );
  }

  /** Resolves, with the time (performance.now), as soon as it is true; throws after `withinMs`, naming `what`. */
  async when(what: string, isTrue: () => boolean, withinMs: number): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    const look = (): void => {
      if (isTrue()) resolve(performance.now());
    };
    this.#looks.add(look);
    look();
    const late = new AbortController();
    const tooLate = sleep(withinMs, undefined, { signal: late.signal }).then(() => {
      throw new Error(`not within ${withinMs / 1000} s: ${what}`);
    });
    try {
      return await Promise.race([promise, tooLate]);
    } finally {
      late.abort();
      tooLate.catch(() => {});
      this.#looks.delete(look);
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  #look(): void {
    for (const look of this.#looks) look();
  }
}
