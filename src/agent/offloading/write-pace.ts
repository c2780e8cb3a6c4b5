import { type Bucket, type RateLimit, takeToken } from '../../core/rate-limit.ts';

/** As a kubelet syncs a pod: its start at once, and then once a second. */
const POD: RateLimit = { perSecond: 1, burst: 6 };
/** As an API server lets a kubelet write (its kubeAPIQPS and kubeAPIBurst). */
const PEER: RateLimit = { perSecond: 50, burst: 200 };
/** As a kubelet bounds the events about one object. */
const EVENTS: RateLimit = { perSecond: 1 / 300, burst: 25 };
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
  readonly #events = new Map<string, Bucket>();
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

  /** Whether one more event about a pod is recorded; else it is left out. */
  mayRecord(uid: string, now: number): boolean {
    const bucket = takeToken(EVENTS, this.#events.get(uid), now);
    if (bucket !== undefined) this.#events.set(uid, bucket);
    return bucket !== undefined;
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
    this.#events.delete(uid);
  }
}
