import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { forgetPeer } from '../../src/ops/forget.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { fault } from './faults.ts';
import { headcut } from './headcut-command.ts';
import { eventually, restartAgents } from './lab.ts';
import { connect, joinAgain, peerNames, peerOf, seesReady, usesPod } from './members.ts';

/**
 * Five members, of which `d` has outbound connections only, and `b` and `e` do not reach each other. Wants a lab made for it:
 * `scripts/lab up --name NAME --clusters 5 --nat d`, then HEADCUT_LAB=$PWD/.lab-NAME.
 */
const { clusterCount, nat = [] } = JSON.parse(
  readFileSync(join(process.env.HEADCUT_LAB ?? '', 'lab.json'), 'utf8'),
) as { clusterCount: number; nat?: string[] };
const isWanted = clusterCount === 5 && nat.join() === 'd';
const title = 'five members, one with outbound connections only, two that do not reach each other';

const MEMBERS = ['a', 'b', 'c', 'd', 'e'];
const NEWCOMERS = MEMBERS.slice(1);
/** What product.md promises after the last join. */
const KNOWN_WITHIN_MS = 10_000;
const BACK_WITHIN_MS = 60_000;
const FORGOTTEN_WITHIN_MS = 5_000;

async function allSeeAllReady(): Promise<void> {
  await Promise.all(MEMBERS.map((one) => seesReady(one, ...MEMBERS.filter((other) => other !== one))));
}

/** Each of them leaves; afterwards nobody knows anybody. */
async function allLeave(): Promise<void> {
  for (const member of NEWCOMERS) {
    const { exitCode, stderr } = await headcut(member, 'leave', '--timeout', '30s');
    expect(exitCode, stderr).toBe(0);
  }
  await eventually(async () => {
    for (const member of MEMBERS) expect(await peerNames(member), member).toEqual([]);
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function joinByToken(home: string, away: string): Promise<void> {
  const [inviting, joining] = await Promise.all([connect(home), connect(away)]);
  try {
    await joinAgain(inviting, joining);
  } finally {
    await Promise.all([inviting.close(), joining.close()]);
  }
}

describe.skipIf(!isWanted)(isWanted ? title : `${title} (only in a lab that is made with --clusters 5 --nat d)`, () => {
  test('join by one token each, and 10 s after the last join each shows all others Ready', async () => {
    await allLeave();
    await using _cut = await fault('cut b e');
    for (const newcomer of NEWCOMERS) await joinByToken('a', newcomer);
    const tookMs = await timed(() => eventually(allSeeAllReady, BACK_WITHIN_MS));
    console.info(`all Ready ${Math.round(tookMs)} ms after the last join`);
    expect(tookMs).toBeLessThan(KNOWN_WITHIN_MS);
  });

  test.each(NEWCOMERS.filter((one) => one !== 'd'))(
    'logs and exec work both ways between d, behind its router, and %s',
    async (other) => {
      await usesPod('d', other);
      await usesPod(other, 'd');
    },
  );

  test('a pair without a link is relayed, and offloads both ways', async () => {
    await using _cut = await fault('cut b e');
    await eventually(async () => {
      for (const [one, other] of [
        ['b', 'e'],
        ['e', 'b'],
      ] as const) {
        const { status } = await peerOf(one, other);
        const connected = status?.conditions?.find(({ type }) => type === 'Connected');
        expect(connected).toMatchObject({ status: 'True', reason: 'Relayed' });
        expect(connected?.message).toMatch(/^Relayed through [acd]$/);
      }
    }, BACK_WITHIN_MS);
    await usesPod('b', 'e');
    await usesPod('e', 'b');
  });

  test('a dead one is forgotten by each of them within 5 s, and is together again with each of them by one token', async () => {
    await using dead = await fault('freeze c');
    const others = MEMBERS.filter((one) => one !== 'c');
    for (const member of others) {
      const client = await connect(member);
      const forgetting = { clock: systemClock, signal: AbortSignal.timeout(BACK_WITHIN_MS), dryRun: false };
      const tookMs = await timed(() => forgetPeer(client, 'c', forgetting));
      await client.close();
      expect(tookMs).toBeLessThan(FORGOTTEN_WITHIN_MS);
      expect(await peerNames(member)).not.toContain('c');
    }
    await dead.end();
    await headcut('c', 'leave', '--timeout', '10s');
    // Nobody takes back for another what that one forgot; and who cannot be reached is the one that joins.
    for (const member of others) await (member === 'd' ? joinByToken('c', member) : joinByToken(member, 'c'));
    await eventually(allSeeAllReady, BACK_WITHIN_MS);
  });

  test('when all five agents restart at once, all is as before within 60 s, also for the pair without a link', async () => {
    await using _cut = await fault('cut b e');
    const tookMs = await timed(async () => {
      await restartAgents(...MEMBERS);
      await eventually(allSeeAllReady, 2 * BACK_WITHIN_MS);
    });
    console.info(`all Ready ${Math.round(tookMs)} ms after the restart of all began`);
    expect(tookMs).toBeLessThan(BACK_WITHIN_MS);
    await usesPod('b', 'e');
  });
});
