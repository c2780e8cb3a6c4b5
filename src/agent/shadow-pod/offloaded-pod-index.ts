import type { Pod } from '../../core/kube-objects.ts';
import { ORIGIN_CLUSTER_LABEL, ORIGIN_NAMESPACE_LABEL, ORIGIN_UID_LABEL } from '../../core/labels.ts';
import { isTerminal } from '../../core/pod-phase.ts';
import type { ShadowPod } from '../../core/shadow-pod/shadow-pod.ts';
import { formerTwinName, twinNamespaceName } from '../../core/shadow-pod/twin-namespace.ts';
import type { Store } from '../../kube/store.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { OffloadedPod, OffloadedPods } from '../ports.ts';

export interface OffloadedPodIndexDeps {
  pods: Store<Pod>;
  shadowPods: Store<ShadowPod>;
  /** Whether a pod on this node could have this address. */
  isPodAddress(address: string): boolean;
  clock: Clock;
}

/** A container runs before its kubelet told the pod's address: its first question waits for that. */
const ADDRESS_KNOWN_WITHIN_MS = 3_000;
/** Who is not known yet waits beside those who are; one address, as a pod that starts, with a few questions. */
const MAX_WAITING = 256;
const MAX_WAITING_PER_ADDRESS = 8;

interface Twin {
  cluster: string;
  namespace: string;
  shadowPods: number;
}

/** Which offloaded pod has which address on this cluster, and which twin namespaces there are. */
export class OffloadedPodIndex implements OffloadedPods {
  readonly #deps: OffloadedPodIndexDeps;
  readonly #byAddress = new Map<string, { podUid: string; pod: OffloadedPod }>();
  readonly #twins = new Map<string, Twin>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #waiters = 0;

  constructor(deps: OffloadedPodIndexDeps) {
    this.#deps = deps;
    deps.pods.onChange((_key, after, before) => this.#onPod(after, before));
    deps.shadowPods.onChange((_key, after, before) => this.#onShadowPod(after, before));
  }

  async find(address: string): Promise<OffloadedPod | undefined> {
    const found = this.#byAddress.get(address);
    if (found !== undefined || !this.#mayWait(address)) return found?.pod;
    await this.#wait(address);
    return this.#byAddress.get(address)?.pod;
  }

  twinOf(cluster: string, namespace: string): string | undefined {
    const origin = { cluster, namespace };
    return [twinNamespaceName(origin), formerTwinName(origin)].find((name) => {
      const known = this.#twins.get(name);
      return known?.cluster === cluster && known.namespace === namespace;
    });
  }

  namespaceOf(cluster: string, twin: string): string | undefined {
    const found = this.#twins.get(twin);
    return found?.cluster === cluster ? found.namespace : undefined;
  }

  /** Strangers from elsewhere are nobody at once. */
  #mayWait(address: string): boolean {
    if (!this.#deps.isPodAddress(address)) return false;
    const ofAddress = this.#waiting.get(address)?.size ?? 0;
    return this.#waiters < MAX_WAITING && ofAddress < MAX_WAITING_PER_ADDRESS;
  }

  async #wait(address: string): Promise<void> {
    const known = new AbortController();
    const wake = (): void => known.abort();
    const waiting = this.#waiting.get(address) ?? new Set();
    this.#waiting.set(address, waiting.add(wake));
    this.#waiters += 1;
    await this.#deps.clock.sleep(ADDRESS_KNOWN_WITHIN_MS, known.signal).catch(() => {});
    this.#waiters -= 1;
    waiting.delete(wake);
    if (waiting.size === 0) this.#waiting.delete(address);
  }

  #onPod(after: Pod | undefined, before: Pod | undefined): void {
    const former = before?.status?.podIP;
    if (former !== undefined && this.#byAddress.get(former)?.podUid === before?.metadata.uid) {
      this.#byAddress.delete(former);
    }
    const address = after?.status?.podIP;
    const { labels = {}, uid = '' } = after?.metadata ?? {};
    const { [ORIGIN_CLUSTER_LABEL]: cluster, [ORIGIN_NAMESPACE_LABEL]: namespace } = labels;
    if (address === undefined || cluster === undefined || namespace === undefined || isTerminal(after?.status)) return;
    const pod = { cluster, namespace, uid: labels[ORIGIN_UID_LABEL] ?? '' };
    this.#byAddress.set(address, { podUid: uid, pod });
    for (const wake of this.#waiting.get(address) ?? []) wake();
  }

  #onShadowPod(after: ShadowPod | undefined, before: ShadowPod | undefined): void {
    const shadow = after ?? before;
    if (shadow === undefined || (after !== undefined && before !== undefined)) return;
    const { originCluster: cluster, originNamespace: namespace } = shadow.spec;
    const name = shadow.metadata.namespace ?? '';
    const shadowPods = (this.#twins.get(name)?.shadowPods ?? 0) + (after === undefined ? -1 : 1);
    if (shadowPods > 0) this.#twins.set(name, { cluster, namespace, shadowPods });
    else this.#twins.delete(name);
  }
}
