import { describe, expect, it } from 'vitest';
import { type RosterDifference, RosterExchange } from '../../../src/agent/roster/roster-exchange.ts';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { eventually } from '../../peering/peer-server-fixture.ts';
import { fastClock } from '../membership/federation-fixture.ts';

/** An exchange whose own digest is the sorted letters it knows; peers answer by `answer`. */
function start(own: string, answer: (peerId: string) => Promise<RosterDifference> | undefined) {
  const known = new Set(own);
  const asked: string[] = [];
  const exchange = new RosterExchange({
    own: { digest: () => [...known].sort().join(''), versions: () => ({}) },
    ask: (peerId) => {
      const difference = answer(peerId);
      if (difference === undefined) return undefined;
      return () => {
        asked.push(peerId);
        return difference;
      };
    },
    tell: (records) => {
      for (const { name } of records) known.add(name);
      return Promise.resolve();
    },
    clock: fastClock,
    logger: silentLogger,
  });
  return { exchange, asked, known: () => [...known].sort().join('') };
}

const knows = (digest: string): Promise<RosterDifference> =>
  Promise.resolve({ digest, records: [...digest].map((name) => ({ name }) as PeerRecord) });

describe('the comparison of rosters', () => {
  it('asks nobody who knows the same', async () => {
    const { exchange, asked } = start('ab', () => knows('ab'));
    exchange.heard('p', 'ab');
    await fastClock.sleep(300);
    expect(asked).toEqual([]);
  });

  it('asks two of many who know the same news', async () => {
    const { exchange, asked, known } = start('ab', () => knows('abc'));
    for (let i = 0; i < 20; i += 1) exchange.heard(`p${i}`, 'abc');
    await eventually(() => known() === 'abc');
    await fastClock.sleep(300);
    expect(asked).toEqual(['p0', 'p1']);
  });

  it('is settled with a peer that differs for good, until one of the two changes', async () => {
    const { exchange, asked } = start('ab', () => Promise.resolve({ digest: 'a', records: [] }));
    exchange.heard('p', 'a');
    await fastClock.sleep(500);
    exchange.look();
    await fastClock.sleep(500);
    expect(asked).toEqual(['p']);
    exchange.heard('p', 'ac');
    await eventually(() => asked.length === 2);
  });

  it('does not wait for peers that do not answer', async () => {
    const { exchange, known } = start('a', (id) => (id === 'good' ? knows('ab') : new Promise(() => {})));
    for (const id of ['dead', 'frozen', 'good']) exchange.heard(id, 'ab');
    await eventually(() => known() === 'ab');
  });

  it('asks a peer that cannot be asked now as soon as it can', async () => {
    let reachable = false;
    const { exchange, known } = start('a', () => (reachable ? knows('ab') : undefined));
    exchange.heard('p', 'ab');
    reachable = true;
    exchange.look();
    await eventually(() => known() === 'ab');
  });

  it('is not kept busy by a peer that says ever new digests', async () => {
    let said = 0;
    const { exchange, asked } = start('a', () => Promise.resolve({ digest: `x${said}`, records: [] }));
    const until = fastClock.monotonic() + 1_000;
    while (fastClock.monotonic() < until) {
      said += 1;
      exchange.heard('p', `y${said}`);
      await fastClock.sleep(2);
    }
    expect(asked.length).toBeLessThanOrEqual(11);
    expect(asked.length).toBeGreaterThan(1);
  });
});
