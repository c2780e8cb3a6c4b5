import { expect, test } from 'vitest';
import { createHomeContact, type HomeContactDeps } from '../../../src/agent/consumer-lost/home-contact.ts';
import type { PeerChange, PeerLink, PeerLinks } from '../../../src/agent/ports.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

/** Members with their states; changes are told as the membership tells them. */
function start(states: Record<string, string>, notUnderstood: string[] = []) {
  const time = { now: 1_000 };
  const members = new Map(Object.entries(states));
  const listeners: ((id: string, change: PeerChange) => void)[] = [];
  const linkOf = (id: string): PeerLink => ({ id, state: members.get(id) }) as unknown as PeerLink;
  const links = {
    get: (id: string) => (members.has(id) ? linkOf(id) : undefined),
    list: () => [...members.keys()].map(linkOf),
    onChange: (listener: (id: string, change: PeerChange) => void) => void listeners.push(listener),
  };
  const peers = {
    synced: true,
    list: () => [...members.keys(), ...notUnderstood].map((id) => ({ spec: { id } })),
    onChange: () => {},
  };
  const homes = createHomeContact({
    links: links as unknown as PeerLinks,
    peers: peers as unknown as HomeContactDeps['peers'],
    clock: { ...systemClock, monotonic: () => time.now },
  });
  const told: string[] = [];
  homes.onChange((id) => told.push(id));
  const become = (id: string, state: string | undefined): void => {
    if (state === undefined) members.delete(id);
    else members.set(id, state);
    for (const listener of listeners) listener(id, state === undefined ? 'removed' : 'state');
  };
  return { homes, peers, told, time, become };
}

test('a home that is unreachable is lost since then, until it is heard again', () => {
  const { homes, told, time, become } = start({ a: 'Connected', b: 'Unreachable' });
  time.now += 500;
  expect([homes.lostForMs('a'), homes.lostForMs('b')]).toEqual([undefined, 500]);
  become('a', 'Suspect');
  become('a', 'Unreachable');
  time.now += 300;
  expect([homes.lostForMs('a'), homes.goneForMs('a')]).toEqual([300, undefined]);
  become('a', 'Connected');
  expect(homes.lostForMs('a')).toBeUndefined();
  expect(told).toEqual(['a', 'a']);
});

test('a home that was forgotten is gone since then, until it joins again', () => {
  const { homes, told, time, become } = start({ a: 'Unreachable' });
  become('a', undefined);
  time.now += 300;
  expect([homes.lostForMs('a'), homes.goneForMs('a')]).toEqual([undefined, 300]);
  become('a', 'Connected');
  expect(homes.goneForMs('a')).toBeUndefined();
  expect(told).toEqual(['a', 'a']);
});

test('a home that was no member when the agent started is gone since that was known', () => {
  const { homes, peers, time } = start({});
  peers.synced = false;
  expect(homes.goneForMs('a')).toBeUndefined();
  peers.synced = true;
  time.now += 10_000;
  expect(homes.goneForMs('a')).toBe(0);
  time.now += 300;
  expect(homes.goneForMs('a')).toBe(300);
});

test('a home whose record this agent does not understand is not gone', () => {
  const { homes } = start({ a: 'Connected' }, ['b']);
  expect([homes.goneForMs('a'), homes.goneForMs('b'), homes.goneForMs('c')]).toEqual([undefined, undefined, 0]);
});
