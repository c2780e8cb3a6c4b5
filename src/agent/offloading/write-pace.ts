import { type Bucket, type RateLimit, takeToken } from '../../core/rate-limit.ts';

/** As a kubelet syncs a pod: its start at once, and then once a second. */
const POD: RateLimit = { perSecond: 1, burst: 6 };
/** As an API server lets a kubelet write (its kubeAPIQPS and kubeAPIBurst). */
const PEER: RateLimit = { perSecond: 50, burst: 200 };
/** Pods that a peer has of ours and that are not here: each is looked up and ended. */
const STRANGERS: RateLimit = { perSecond: 10, burst: 100 };
/** When a pod that could not be written comes back. */
const AGAIN_MS = 1_000;
/** Strangers are many, if they are too many: each comes back when others had their turn. */
const STRANGER_AGAIN_MS = 10_000;

/** How often what other members say of pods is written to this cluster's datastore. */
export class WritePace {
  readonly #pods = new Map<string, Bucket>();
  readonly #peers = new Map<string, Bucket>();
  readonly #strangers = new Map<string, Bucket>();

  /** Takes a write for a pod. @returns 0, or in how many ms it is to be tried again */
  waitForWrite(uid: string, peerId: string, now: number): number {
    const pod = takeToken(POD, this.#pods.get(uid), now);
    const peer = takeToken(PEER, this.#peers.get(peerId), now);
    if (pod === undefined || peer === undefined) return AGAIN_MS;
    this.#pods.set(uid, pod);
    this.#peers.set(peerId, peer);
    return 0;
  }

  /** The same for a pod of a peer that is not known here. */
  waitForStranger(peerId: string, now: number): number {
    const bucket = takeToken(STRANGERS, this.#strangers.get(peerId), now);
    if (bucket === undefined) return STRANGER_AGAIN_MS;
    this.#strangers.set(peerId, bucket);
    return 0;
  }

  /** The pod is gone. */
  release(uid: string): void {
    this.#pods.delete(uid);
  }
}
