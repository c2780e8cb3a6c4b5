import { describe, expect, test } from 'vitest';
import type { Offer } from '../../../src/core/exchange/offer.ts';
import {
  afterBroken,
  afterClosing,
  afterKept,
  afterOffer,
  afterRefusal,
  believedRoom,
  type PeerRoom,
  roomChangesInMs,
  roomHeldBack,
  roomState,
  WHOLE_ROOM,
} from '../../../src/core/virtual-node/peer-room.ts';

const offer = (allocatable: Record<string, string> = { cpu: '4', memory: '8Gi', pods: '100' }): Offer => ({
  capacity: allocatable,
  allocatable,
  nodeInfo: {},
  labels: {},
  accepting: true,
});
const ASKED = { cpu: '1', pods: '1' };
const refusedTimes = (times: number, now = 0, from: PeerRoom = WHOLE_ROOM): PeerRoom =>
  Array.from({ length: times }).reduce<PeerRoom>((room) => afterRefusal(room, ASKED, now), from);

describe('a peer that refuses pods for want of room', () => {
  test('shows less by what it refused, and all again ten seconds later, by itself', () => {
    const room = refusedTimes(2);
    expect(believedRoom(offer(), room, { now: 0, bound: 3 })).toEqual({ cpu: '2', memory: '8388608Ki', pods: '98' });
    expect(roomChangesInMs(room, 0)).toBe(10_000);
    expect(believedRoom(offer(), room, { now: 10_000, bound: 3 })).toEqual(offer().allocatable);
    expect(roomChangesInMs(room, 10_000)).toBeUndefined();
  });

  test('shows all that its next offer has', () => {
    expect(believedRoom(offer(), afterOffer(refusedTimes(2), 1), { now: 1, bound: 3 })).toEqual(offer().allocatable);
  });

  test('is closed after three within a minute, whatever it offers', () => {
    expect(roomState(refusedTimes(2), 0)).toBe('open');
    const room = refusedTimes(3);
    expect(roomState(room, 0)).toBe('closed');
    const vast = offer({ cpu: '1000000', memory: '1Pi', pods: '1000000', 'example.com/gpu': '8' });
    expect(Object.values(believedRoom(vast, room, { now: 0, bound: 3 }))).toEqual(['0', '0', '0', '0']);
    expect(roomState(refusedTimes(1, 61_000, refusedTimes(2)), 61_000)).toBe('open');
  });

  test('is tried with one pod at a time, and closed for twice as long after each that it refuses, up to ten minutes', () => {
    let room = refusedTimes(3);
    const closedMs: number[] = [];
    for (let round = 0; round < 9; round += 1) {
      const now = room.closedUntil;
      closedMs.push(room.closedUntil - room.closedAt);
      expect(roomState(room, now)).toBe('trial');
      expect(believedRoom(offer(), room, { now: now + 20_000, bound: 3 }).pods).toBe('4');
      room = refusedTimes(1, now, room);
    }
    expect(closedMs).toEqual([5, 10, 20, 40, 80, 160, 320, 600, 600].map((seconds) => seconds * 1_000));
  });

  test('is open again once a pod stays there that it took after it was closed', () => {
    const room = refusedTimes(3, 1_000);
    expect(roomState(afterKept(room, 500), 7_000)).toBe('trial');
    expect(roomState(afterKept(room, 6_000), 11_000)).toBe('open');
  });

  test('is tried soon after another offer, but not at once however many come', () => {
    let room = refusedTimes(3);
    for (let round = 0; round < 5; round += 1) room = refusedTimes(1, room.closedUntil, room);
    const { closedAt } = room;
    for (let ms = 0; ms < 4_000; ms += 10) room = afterOffer(room, closedAt + ms);
    expect(roomState(room, closedAt + 4_999)).toBe('closed');
    expect(roomState(room, closedAt + 5_000)).toBe('trial');
  });
});

test('a peer that does not keep pods is closed as well, after a dozen', () => {
  let room = WHOLE_ROOM;
  for (let count = 0; count < 11; count += 1) room = afterBroken(room, 'lost', count);
  expect(roomState(room, 11)).toBe('open');
  expect(roomState(afterBroken(room, 'lost', 11), 11)).toBe('closed');
});

test('a peer that asks for its pods to leave is closed for a while after it takes pods again', () => {
  expect(roomState(afterClosing(WHOLE_ROOM, 0), 4_999)).toBe('closed');
});

test('what a node does not show of an offer is told', () => {
  const node = { status: { allocatable: { cpu: '4', memory: '8Gi', pods: '4' } } };
  expect(roomHeldBack(offer().allocatable, node)).toBe('pods 4 of 100');
  expect(roomHeldBack(offer().allocatable, { status: { allocatable: offer().allocatable } })).toBeUndefined();
});
