import { expect, test } from 'vitest';
import { PeerRooms } from '../../../src/agent/virtual-node/peer-rooms.ts';
import type { Offer } from '../../../src/core/exchange/offer.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { eventually } from '../../peering/peer-server-fixture.ts';

const SPEED = 20;
const clock = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / SPEED, signal) };

const offer = (pods: string): Offer => ({
  capacity: {},
  allocatable: { pods },
  nodeInfo: {},
  labels: {},
  accepting: true,
});

function start(answer: () => Promise<Offer | undefined>) {
  const seen = { asked: 0 };
  const rooms = new PeerRooms(
    clock,
    () => {},
    () => {
      seen.asked += 1;
      return answer();
    },
  );
  rooms.offered('b', offer('108'));
  const shown = () => rooms.believed('b', offer('108'), 0).pods;
  return { rooms, seen, shown };
}

test('a peer is asked after it refused, once, and what it confirms is shown again', async () => {
  const { rooms, seen, shown } = start(async () => offer('108'));
  rooms.refused('b', { pods: '1' });
  rooms.refused('b', { pods: '1' });
  expect(shown()).toBe('106');
  await eventually(() => shown() === '108');
  expect(seen.asked).toBe(1);
});

test.each([
  ['offers something else by now', async () => offer('7')],
  ['has no offer', async () => undefined],
  ['cannot be asked', () => Promise.reject(new Error('cannot reach b'))],
])('one that %s gets no more than it took', async (_what, answer: () => Promise<Offer | undefined>) => {
  const { rooms, seen, shown } = start(answer);
  rooms.refused('b', { pods: '1' });
  await eventually(() => seen.asked === 1);
  await systemClock.sleep(20);
  expect(shown()).toBe('107');
});

test('one that goes on to refuse what it offers is closed in spite of its word', async () => {
  const { rooms, seen } = start(async () => offer('108'));
  for (let i = 0; i < 5; i += 1) rooms.refused('b', { pods: '1' });
  await eventually(() => seen.asked === 1);
  await systemClock.sleep(20);
  expect(rooms.state('b')).toBe('closed');
});
