import type { Offer } from '../../core/exchange/offer.ts';
import type { OfferedClass } from '../../core/exchange/volume.ts';
import { isEqual } from '../../core/is-equal.ts';
import type { Node, Pod, ResourceList } from '../../core/kube-objects.ts';
import type { FederationObject, PeerObject } from '../../core/membership/peer-object.ts';
import {
  computeOffer,
  fits,
  fitsTerms,
  freeNow,
  isSmaller,
  type Usage,
  usageOf,
  whyClosed,
} from '../../core/offer/compute-offer.ts';
import type { PeerUse } from '../../core/offer/peer-terms.ts';

import { type Amounts, amountsFrom, podRequests } from '../../core/quantities/resources.ts';
import { guestKey, guestKeyOfPod } from '../../core/shadow-pod/shadow-pod.ts';
import type { Store } from '../../kube/store.ts';
import type { CallHandlers } from '../../peering/serving.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Admission, PeerLinks } from '../ports.ts';

export interface OffersDeps {
  pods: Store<Pod>;
  nodes: Store<Node>;
  links: Pick<PeerLinks, 'list' | 'onChange'>;
  /** What the provider keeps for itself. */
  reserve(): ResourceList;
  /** What a container is given that asks for nothing. */
  guestShare(): ResourceList;
  /** It is drained: peers are asked to move their pods away. */
  maintenance(): boolean;
  /** What a peer may use. */
  use?(peerId: string): PeerUse;
  /** Storage that a peer may ask for, and when that changes. */
  storage?: { offerFor(peerId: string): OfferedClass[]; onChange(listener: () => void): void };
  federations: Pick<Store<FederationObject>, 'onChange'>;
  /** Whose labels may say what they may use. */
  peers?: Pick<Store<PeerObject>, 'onChange'>;
  clock: Clock;
}

/** Changes of pods come in bursts; one look at the end of each is enough. */
const SETTLE_MS = 100;
/** A larger offer is sent only after it held this long: what a finished pod frees is often taken again at once. */
const GROW_AFTER_MS = 3_000;

interface Sent {
  offer: Offer;
  /** Since when the computed offer has been larger than the sent one. */
  largerSince: number | undefined;
}

/** Keeps an offer for every peer, and gives out room to admitted pods without double counting. */
export class Offers implements Admission {
  readonly #deps: OffersDeps;
  readonly #sent = new Map<string, Sent>();
  readonly #listeners: ((peerId: string) => void)[] = [];
  /** Admitted pods (`guestKey`) that the cluster's pod list does not show yet. */
  readonly #reserved = new Map<string, Usage>();
  #wake: () => void = () => {};
  #changed = true;

  constructor(deps: OffersDeps) {
    this.#deps = deps;
    const touch = (): void => this.#touch();
    deps.nodes.onChange(touch);
    deps.federations.onChange(touch);
    deps.storage?.onChange(touch);
    deps.peers?.onChange((_name, after, before) => {
      if (!isEqual(after?.metadata.labels, before?.metadata.labels)) touch();
    });
    deps.links.onChange((_id, change) => {
      if (change === 'added' || change === 'removed') touch();
    });
    deps.pods.onChange((_key, after) => {
      const key = after && guestKeyOfPod(after);
      if (key !== undefined) this.#reserved.delete(key);
      touch();
    });
  }

  /** What peers ask about room here. */
  get calls(): Pick<CallHandlers, 'freshOffer'> {
    return {
      freshOffer: ({ peerId }) => {
        // What changed a moment ago is part of it; a growth that is held back is not, and told later.
        if (this.#deps.pods.synced && this.#deps.nodes.synced) this.#refresh();
        const offer = this.offerFor(peerId);
        return offer === undefined ? {} : { offer };
      },
    };
  }

  onChange(listener: (peerId: string) => void): void {
    this.#listeners.push(listener);
  }

  offerFor(peerId: string): Offer | undefined {
    return this.#sent.get(peerId)?.offer;
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#deps.pods.whenSynced(), this.#deps.nodes.whenSynced()]);
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    while (!signal.aborted) {
      this.#changed = false;
      const waitMs = this.#refresh();
      if (!this.#changed) await this.#sleep(waitMs, signal);
      await this.#deps.clock.sleep(SETTLE_MS, signal).catch(() => {});
    }
  }

  reserve(uid: string, pod: Pod, peerId: string): ReturnType<Admission['reserve']> {
    const key = guestKey(peerId, uid);
    const requests = podRequests(pod);
    if (isEqual(this.#reserved.get(key)?.requests, requests)) return { ok: true };
    const nodes = this.#deps.nodes.list();
    const use = this.#deps.use?.(peerId);
    const closed = whyClosed(nodes, this.#deps.maintenance()) ?? use?.closed;
    if (closed !== undefined)
      return { ok: false, reason: 'PeerClosed', message: `the provider takes no pods now: ${closed}` };
    const verdict = this.#fits(requests, peerId, use);
    if (verdict.ok) this.#reserved.set(key, { peerId, requests });
    if (verdict.ok) this.#touch();
    return verdict;
  }

  #fits(requests: Amounts, peerId: string, use: PeerUse | undefined): ReturnType<Admission['reserve']> {
    const [nodes, usage, reserve] = [this.#deps.nodes.list(), this.#usage(), this.#reserve()];
    const verdict = fits(requests, freeNow(nodes, usage, reserve));
    if (!verdict.ok || use === undefined) return verdict;
    return fitsTerms(requests, { nodes, usage, reserve, peerId, use });
  }

  release(uid: string, peerId: string): void {
    if (this.#reserved.delete(guestKey(peerId, uid))) this.#touch();
  }

  #usage(): Usage[] {
    return [...usageOf(this.#deps.pods.list(), this.#deps.nodes.list()), ...this.#reserved.values()];
  }

  #reserve(): Amounts {
    return amountsFrom(this.#deps.reserve());
  }

  /** Computes all offers; returns how long a held-back growth has still to wait, if any. */
  #refresh(): number | undefined {
    const usage = this.#usage();
    const now = this.#deps.clock.monotonic();
    let waitMs: number | undefined;
    for (const { id } of this.#deps.links.list()) {
      const use = this.#deps.use?.(id);
      const storage = this.#deps.storage?.offerFor(id) ?? [];
      const offer = computeOffer(this.#deps.nodes.list(), usage, {
        peerId: id,
        reserve: this.#reserve(),
        guestShare: amountsFrom(this.#deps.guestShare()),
        maintenance: this.#deps.maintenance(),
        ...(use === undefined ? {} : { use }),
      });
      const next = storage.length === 0 ? offer : { ...offer, storage };
      const left = this.#consider(id, next, now);
      if (left !== undefined) waitMs = Math.min(waitMs ?? left, left);
    }
    return waitMs;
  }

  #consider(peerId: string, next: Offer, now: number): number | undefined {
    const sent = this.#sent.get(peerId);
    if (sent !== undefined && isEqual(sent.offer, next)) {
      sent.largerSince = undefined;
      return undefined;
    }
    const since = sent?.largerSince ?? now;
    const heldMs = now - since;
    if (sent !== undefined && !isSmaller(next, sent.offer) && sent.offer.accepting && heldMs < GROW_AFTER_MS) {
      sent.largerSince = since;
      return GROW_AFTER_MS - heldMs;
    }
    this.#sent.set(peerId, { offer: next, largerSince: undefined });
    for (const listener of this.#listeners) listener(peerId);
    return undefined;
  }

  #touch(): void {
    this.#changed = true;
    this.#wake();
  }

  async #sleep(ms: number | undefined, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (signal.aborted) return;
    const timer =
      ms === undefined ? new Promise<void>(() => {}) : this.#deps.clock.sleep(ms, stop.signal).catch(() => {});
    await Promise.race([woken, timer]);
    stop.abort();
  }
}
