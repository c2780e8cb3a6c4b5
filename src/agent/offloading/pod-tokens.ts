import type { ConfigObject, Pod } from '../../core/kube-objects.ts';
import { referencedTokens } from '../../core/reflection/references.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type Controller, createController, type ReconcileResult } from '../../runtime/controller.ts';
import type { Logger } from '../../runtime/logger.ts';
import { requestTokens } from './service-account-tokens.ts';

export interface PodTokensDeps {
  deliver(podUid: string, secret: ConfigObject): Promise<void>;
  /** Whether tokens of this namespace leave this cluster. */
  leave(namespace: string): boolean;
  clock: Clock;
  random(): number;
  logger: Logger;
}

interface Kept {
  pod: Pod;
  node: Pick<KubeClient, 'create'>;
  /** Monotonic ms. */
  renewAt: number;
}

/** Half of a token's life: what a former agent issued just before its end still lasts long enough after a restart. */
const RENEW_AT_SHARE = 0.5;
/** However soon a token ends: clocks may differ by more than its life, and each renewal is a write on both sides. */
const RENEW_AT_MOST_EVERY_MS = 60_000;
/** After a restart nothing is known of the tokens: they are renewed within this time, spread so that writes do not pile up. */
const UNKNOWN_WITHIN_MS = 8 * 60_000;

/** Keeps the service account tokens of offloaded pods fresh on their providers. */
export class PodTokens {
  readonly controller: Controller;
  readonly #deps: PodTokensDeps;
  readonly #kept = new Map<string, Kept>();
  readonly #issued = new Map<string, number>();

  constructor(deps: PodTokensDeps) {
    this.#deps = deps;
    this.controller = createController({
      ...deps,
      name: 'pod-tokens',
      reconcile: (uid) => this.#renew(uid),
      concurrency: 2,
    });
  }

  /** Tokens for a pod that is to be submitted, as a Secret; none for a pod that mounts none, or whose tokens stay at home. */
  async request(node: Pick<KubeClient, 'create'>, pod: Pod): Promise<ConfigObject[]> {
    if (!this.#leave(pod)) return [];
    const secret = await requestTokens(node, pod);
    if (secret === undefined) return [];
    const leftMs = secret.expiresAt - this.#deps.clock.now();
    const renewInMs = Math.max(RENEW_AT_MOST_EVERY_MS, (Number.isNaN(leftMs) ? 0 : leftMs) * RENEW_AT_SHARE);
    this.#issued.set(pod.metadata.uid ?? '', this.#deps.clock.monotonic() + renewInMs);
    return [secret.object];
  }

  /** The pod runs on its provider: its tokens are renewed from now on. Harmless when that is so already. */
  keep(pod: Pod, node: Pick<KubeClient, 'create'>): void {
    const { uid = '' } = pod.metadata;
    const kept = this.#kept.get(uid);
    if (kept !== undefined) {
      Object.assign(kept, { pod, node });
      return;
    }
    if (referencedTokens(pod).length === 0 || !this.#leave(pod)) return;
    const now = this.#deps.clock.monotonic();
    const renewAt = this.#issued.get(uid) ?? now + this.#deps.random() * UNKNOWN_WITHIN_MS;
    this.#kept.set(uid, { pod, node, renewAt });
    this.controller.enqueueAfter(uid, renewAt - now);
  }

  release(uid: string): void {
    this.#kept.delete(uid);
    this.#issued.delete(uid);
  }

  #leave({ metadata: { namespace = '' } }: Pod): boolean {
    return this.#deps.leave(namespace);
  }

  async #renew(uid: string): Promise<ReconcileResult> {
    const kept = this.#kept.get(uid);
    if (kept === undefined) return undefined;
    const now = this.#deps.clock.monotonic();
    if (now < kept.renewAt) return { requeueAfterMs: kept.renewAt - now };
    const [secret] = await this.request(kept.node, kept.pod);
    if (secret === undefined) {
      // It is looked after again when tokens may leave again.
      this.#kept.delete(uid);
      return undefined;
    }
    await this.#deps.deliver(uid, secret);
    kept.renewAt = this.#issued.get(uid) ?? now;
    return { requeueAfterMs: kept.renewAt - now };
  }
}
