import type { RemotePod } from '../core/exchange/pod-submission.ts';

/** Which pods of this cluster are bound to a peer's node: of others next to nothing is kept that the peer says. */
export interface PodsOnPeers {
  /** False until the pods of this cluster are known. */
  readonly synced: boolean;
  isOn(peerId: string, uid: string): boolean;
  countOn(peerId: string): number;
}

/**
 * Pods that are none of ours any more: they were removed here while the peer was away, and it is to be told so. Of these only who they
 * are is kept, and no more of them than this: a peer may invent them.
 */
const MAX_UNKNOWN = 2_000;

const MIB = 1024 * 1024;
/** Characters for one pod in a list in one line, with its status and events. */
const CHARS_PER_POD = 64 * 1024;
const MAX_LIST_CHARS = 32 * MIB;

/** What a peer says of the pods of this cluster that run there, by UID. */
export class RemotePods {
  readonly #peerId: string;
  readonly #own: PodsOnPeers;
  #pods = new Map<string, RemotePod>();
  /** A list that comes in parts, until its last one. */
  #parts = new Map<string, RemotePod>();
  #complete = false;
  #missed = false;

  constructor(peerId: string, own: PodsOnPeers) {
    this.#peerId = peerId;
    this.#own = own;
  }

  get all(): ReadonlyMap<string, RemotePod> {
    return this.#pods;
  }

  /** True after the full list arrived in this session: only then absence proves anything. */
  get complete(): boolean {
    return this.#complete;
  }

  /** The peer said something when nobody could tell yet whose pods these are, and by now one can: it is to say all again. */
  get mustBeToldAgain(): boolean {
    return this.#missed && this.#own.synced;
  }

  /** How long (characters) a list in one line may be. */
  get maxListChars(): number {
    return Math.min(MAX_LIST_CHARS, MIB + this.#own.countOn(this.#peerId) * CHARS_PER_POD);
  }

  /** All pods, or a part of them. @returns whether all are known now */
  takeList(pods: readonly RemotePod[], more: boolean): boolean {
    if (this.#misses()) return false;
    for (const pod of pods) this.#keep(this.#parts, pod);
    if (more) return false;
    this.#pods = this.#parts;
    this.#parts = new Map();
    this.#complete = true;
    return true;
  }

  take(pod: RemotePod): void {
    if (!this.#misses()) this.#keep(this.#pods, pod);
  }

  delete(uid: string): void {
    if (!this.#misses()) this.#pods.delete(uid);
  }

  /** What is known may be out of date from now on: another session begins, or something was not understood. */
  unsettle(): void {
    this.#complete = false;
    this.#parts = new Map();
    this.#missed = false;
  }

  #misses(): boolean {
    this.#missed ||= !this.#own.synced;
    return !this.#own.synced;
  }

  #keep(pods: Map<string, RemotePod>, pod: RemotePod): void {
    const { uid, namespace, name, deleting } = pod;
    if (this.#own.isOn(this.#peerId, uid)) pods.set(uid, pod);
    else if (pods.has(uid) || pods.size < this.#own.countOn(this.#peerId) + MAX_UNKNOWN)
      pods.set(uid, { uid, namespace, name, deleting });
  }
}
