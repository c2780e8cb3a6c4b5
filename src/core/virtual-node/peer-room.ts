import type { Offer } from '../exchange/offer.ts';
import type { Node, ResourceList } from '../kube-objects.ts';
import { amountsFrom, clampedTo, subtract, toResourceList } from '../quantities/resources.ts';

/**
 * How far the room that a peer offers is believed. A peer that offers room and refuses pods for want of it, or does not keep those that it
 * took, would have controllers of this cluster make pods without end: it is closed for a while, longer each time, and then
 * tried with one pod at a time until one stays.
 */
export interface PeerRoom {
  /** What was refused lately, which is taken off the offer until then (monotonic ms). */
  refused: readonly { requests: ResourceList; until: number }[];
  /** Promises that were broken lately, with the monotonic ms at which each is forgotten. */
  broken: readonly { weight: number; until: number }[];
  /** How often it was closed without having kept a promise since. */
  closures: number;
  /** Monotonic ms. */
  closedAt: number;
  closedUntil: number;
}

/** `closed`: no pod goes there; `trial`: one at a time does. */
export type RoomState = 'open' | 'closed' | 'trial';

export const WHOLE_ROOM: PeerRoom = { refused: [], broken: [], closures: 0, closedAt: 0, closedUntil: 0 };

/** A refusal may be a race with another member's pods: the next offer tells, or it is forgotten. */
const REFUSAL_COUNTS_MS = 10_000;
const BROKEN_COUNTS_MS = 60_000;
/** So many refusals for want of room within that time close a peer, or so many pods that it did not keep. */
const WEIGHTS = { refused: 4, lost: 1 };
const CLOSES_AT = 12;
const FIRST_CLOSED_MS = 5_000;
const LAST_CLOSED_MS = 600_000;
/** A pod that runs for so long after a peer was closed shows that there is room. */
export const KEPT_AFTER_MS = 5_000;

export function roomState({ closures, closedUntil }: PeerRoom, now: number): RoomState {
  if (closures === 0) return 'open';
  return now < closedUntil ? 'closed' : 'trial';
}

/** A pod was refused for want of room. */
export function afterRefusal(room: PeerRoom, requests: ResourceList, now: number): PeerRoom {
  const refused = [...room.refused.filter(({ until }) => until > now), { requests, until: now + REFUSAL_COUNTS_MS }];
  return afterBroken({ ...room, refused }, 'refused', now);
}

/** A promise was broken: `lost` is a pod that was taken and then failed without its containers, or was gone. */
export function afterBroken(room: PeerRoom, how: keyof typeof WEIGHTS, now: number): PeerRoom {
  const state = roomState(room, now);
  if (state === 'closed') return room;
  const broken = [
    ...room.broken.filter(({ until }) => until > now),
    { weight: WEIGHTS[how], until: now + BROKEN_COUNTS_MS },
  ];
  const sum = broken.reduce((total, { weight }) => total + weight, 0);
  return state === 'open' && sum < CLOSES_AT ? { ...room, broken } : afterClosing(room, now);
}

/** No pod goes there for a while. */
export function afterClosing(room: PeerRoom, now: number): PeerRoom {
  const closedMs = Math.min(LAST_CLOSED_MS, FIRST_CLOSED_MS * 2 ** room.closures);
  return { ...room, broken: [], closures: room.closures + 1, closedAt: now, closedUntil: now + closedMs };
}

/** A pod that was taken after it had been closed has stayed: all is as before. @param takenAt monotonic ms */
export function afterKept(room: PeerRoom, takenAt: number): PeerRoom {
  return takenAt < room.closedAt ? room : { ...WHOLE_ROOM, refused: room.refused };
}

/** A new offer: what it says counts, and a peer that was closed is tried, though not at once again and again. */
export function afterOffer(room: PeerRoom, now: number): PeerRoom {
  const closedUntil = Math.min(room.closedUntil, Math.max(now, room.closedAt + FIRST_CLOSED_MS));
  return { ...room, refused: [], closedUntil };
}

/** The peer was asked after a refusal, and its offer stands: what was refused is counted in it. */
export function afterConfirmation(room: PeerRoom): PeerRoom {
  return { ...room, refused: [] };
}

/** In how many ms the room will be another one by itself; undefined: it will not. */
export function roomChangesInMs(room: PeerRoom, now: number): number | undefined {
  const times = [...room.refused.map(({ until }) => until), room.closedUntil].filter((at) => at > now);
  return times.length === 0 ? undefined : Math.min(...times) - now;
}

/** What a virtual node shows of an offer. @param bound how many pods are bound to it */
export function believedRoom(
  offer: Offer,
  room: PeerRoom,
  { now, bound }: { now: number; bound: number },
): ResourceList {
  const state = roomState(room, now);
  if (state === 'closed') return Object.fromEntries(Object.keys(offer.allocatable).map((name) => [name, '0']));
  const refused = room.refused.filter(({ until }) => until > now);
  const offered = amountsFrom(offer.allocatable);
  const left =
    refused.length === 0
      ? offer.allocatable
      : toResourceList(
          refused.reduce((rest, { requests }) => clampedTo(offered, subtract(rest, amountsFrom(requests))), offered),
        );
  if (state === 'open') return left;
  const pods = Math.min(Number(left.pods ?? bound + 1), bound + 1);
  return { ...left, pods: String(Number.isFinite(pods) ? pods : bound + 1) };
}

/** Which part of an offer its virtual node does not show; undefined when it shows all. In words for people. */
export function roomHeldBack(offered: ResourceList, node: Pick<Node, 'status'>): string | undefined {
  const shown = amountsFrom(node.status?.allocatable ?? {});
  const parts = Object.entries(amountsFrom(offered)).flatMap(([name, amount]) => {
    const less = (shown[name] ?? 0n) < amount;
    return less ? [`${name} ${node.status?.allocatable?.[name] ?? '0'} of ${offered[name]}`] : [];
  });
  return parts.length === 0 ? undefined : parts.join(', ');
}
