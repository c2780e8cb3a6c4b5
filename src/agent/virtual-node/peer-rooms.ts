import type { Offer } from '../../core/exchange/offer.ts';
import { isEqual } from '../../core/is-equal.ts';
import type { ResourceList } from '../../core/kube-objects.ts';

import {
  afterBroken,
  afterClosing,
  afterConfirmation,
  afterKept,
  afterOffer,
  afterRefusal,
  believedRoom,
  type PeerRoom,
  type RoomState,
  roomChangesInMs,
  roomState,
  WHOLE_ROOM,
} from '../../core/virtual-node/peer-room.ts';
import type { Clock } from '../../runtime/clock.ts';

/** What was refused is counted there by then. */
const ASK_AFTER_MS = 1_000;

/** How far the room that each peer offers is believed, in this life of the agent. */
export class PeerRooms {
  readonly #clock: Clock;
  readonly #onChange: (peerId: string) => void;
  readonly #rooms = new Map<string, PeerRoom>();
  readonly #evacuating = new Set<string>();
  readonly #ask: (peerId: string) => Promise<Offer | undefined>;
  /** Peers that are asked whether their offer still stands. */
  readonly #asked = new Set<string>();
  readonly #offers = new Map<string, Offer>();

  /** @param ask gives what a peer offers at this moment */
  constructor(
    clock: Clock,
    onChange: (peerId: string) => void,
    ask: (peerId: string) => Promise<Offer | undefined> = async () => undefined,
  ) {
    this.#clock = clock;
    this.#onChange = onChange;
    this.#ask = ask;
  }

  state(peerId: string): RoomState {
    return roomState(this.#of(peerId), this.#clock.monotonic());
  }

  refused(peerId: string, requests: ResourceList): void {
    this.#set(peerId, afterRefusal(this.#of(peerId), requests, this.#clock.monotonic()));
    void this.#confirm(peerId);
  }

  lost(peerId: string): void {
    this.#set(peerId, afterBroken(this.#of(peerId), 'lost', this.#clock.monotonic()));
  }

  kept(peerId: string, takenAt: number): void {
    if (this.state(peerId) !== 'open') this.#set(peerId, afterKept(this.#of(peerId), takenAt));
  }

  /** A new offer has come. */
  offered(peerId: string, offer: Offer | undefined): void {
    if (offer !== undefined) this.#offers.set(peerId, offer);
    const now = this.#clock.monotonic();
    let room = afterOffer(this.#of(peerId), now);
    const evacuates = offer?.evacuate === true;
    // One that asks for pods to leave, and for pods, again and again gets fewer and fewer.
    if (evacuates && !this.#evacuating.has(peerId)) room = afterClosing(room, now);
    if (evacuates) this.#evacuating.add(peerId);
    else this.#evacuating.delete(peerId);
    this.#set(peerId, room);
  }

  forget(peerId: string): void {
    this.#rooms.delete(peerId);
    this.#offers.delete(peerId);
    this.#evacuating.delete(peerId);
  }

  /** @param bound how many pods are bound to the peer's node */
  believed(peerId: string, offer: Offer, bound: number): ResourceList {
    return believedRoom(offer, this.#of(peerId), { now: this.#clock.monotonic(), bound });
  }

  /** In how many ms there will be more by itself; undefined: never. */
  changesInMs(peerId: string): number | undefined {
    return roomChangesInMs(this.#of(peerId), this.#clock.monotonic());
  }

  /** An offer that stays what it is is not told again: so the peer is asked whether it knew better than its refusal. */
  async #confirm(peerId: string): Promise<void> {
    if (this.#asked.has(peerId)) return;
    this.#asked.add(peerId);
    await this.#clock.sleep(ASK_AFTER_MS);
    const offer = await this.#ask(peerId).catch(() => undefined);
    this.#asked.delete(peerId);
    // One that is another by now is told in the session, in its time. One that breaks its word again and again is not asked for it.
    if (offer === undefined || !isEqual(offer, this.#offers.get(peerId)) || this.state(peerId) !== 'open') return;
    this.#set(peerId, afterConfirmation(this.#of(peerId)));
  }

  #of(peerId: string): PeerRoom {
    return this.#rooms.get(peerId) ?? WHOLE_ROOM;
  }

  #set(peerId: string, room: PeerRoom): void {
    this.#rooms.set(peerId, room);
    this.#onChange(peerId);
  }
}
