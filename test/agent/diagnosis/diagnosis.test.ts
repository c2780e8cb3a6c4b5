import { expect, test } from 'vitest';
import { Diagnoser, type DiagnoserDeps } from '../../../src/agent/diagnosis/diagnosis.ts';
import type { PeerInspector } from '../../../src/agent/ports.ts';
import { systemClock } from '../../../src/runtime/clock.ts';

const reached = [{ endpoint: '192.0.2.2:7443', ok: true as const }];

function diagnoser(peers: Partial<PeerInspector> = {}, more: Partial<DiagnoserDeps> = {}): Diagnoser {
  return new Diagnoser({
    peers: {
      list: () => [{ id: 'id-b', name: 'b', state: 'Connected', version: '1', clockSkewMs: 3, openedBy: 'here' }],
      reach: () => Promise.resolve(reached),
      askReach: () => Promise.resolve(reached),
      ...peers,
    },
    probeFullSize: () => Promise.resolve({ bytes: 1_420, answered: true }),
    askDns: () => Promise.resolve(),
    clock: systemClock,
    ...more,
  });
}

test('tells what it sees of each peer and of the names', async () => {
  expect(await diagnoser().look()).toEqual({
    dns: { ok: true },
    peers: [
      {
        ...{ name: 'b', state: 'Connected', version: '1', clockSkewMs: 3, openedBy: 'here' },
        ...{ outward: reached, inward: reached, fullSize: { bytes: 1_420, answered: true } },
      },
    ],
  });
});

test('tells the rest when a peer cannot be asked and no name is answered', async () => {
  const refuse = (): Promise<never> => Promise.reject(new Error('no answer in time'));
  const found = await diagnoser({ askReach: refuse }, { probeFullSize: refuse, askDns: refuse }).look();
  expect(found.dns).toEqual({ ok: false, problem: 'no answer in time' });
  expect(found.peers[0]).toMatchObject({ outward: reached, inward: undefined, fullSize: undefined });
});

test('tells the rest also when nothing is known of the ways to a peer in time', async () => {
  const fast = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal) };
  const found = await diagnoser({ reach: () => new Promise(() => {}) }, { clock: fast }).look();
  expect(found.peers[0]?.outward).toEqual([{ endpoint: 'its endpoints', ok: false, problem: 'no answer in time' }]);
  expect(found.peers[0]?.inward).toEqual(reached);
});

test('looks once for all who ask within a few seconds, and dials a peer once', async () => {
  let dialed = 0;
  const reach = () => {
    dialed += 1;
    return Promise.resolve(reached);
  };
  const one = diagnoser({ reach });
  await Promise.all([one.look(), one.look(), one.reach('id-b')]);
  await one.look();
  expect(dialed).toBe(1);
});
