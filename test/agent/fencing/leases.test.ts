import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { LeaseGrants } from '../../../src/agent/fencing/lease-grants.ts';
import { createLeaseMemory, formatLeases, type KeptLeases } from '../../../src/agent/fencing/lease-memory.ts';
import { Leases } from '../../../src/agent/fencing/leases.ts';
import type { PeerLink, PeerLinks } from '../../../src/agent/ports.ts';
import { PEER_LOST_REASON } from '../../../src/core/failover/plan-failover.ts';
import { objectKey, type Pod, type PodStatus } from '../../../src/core/kube-objects.ts';
import { type ShadowPod, toShadowPod } from '../../../src/core/shadow-pod/shadow-pod.ts';
import type { Store } from '../../../src/kube/store.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';
import { eventually } from '../../peering/peer-server-fixture.ts';

const SPEED = 20;
/** How far the wall clock was put ahead. */
let wallAheadMs = 0;
const clock = {
  ...systemClock,
  now: () => systemClock.now() + wallAheadMs,
  monotonic: () => systemClock.monotonic() * SPEED,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / SPEED, signal),
};

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function shadowOf(fencing: { afterSeconds: number } | undefined, uid = 'u1', consumer = 'consumer'): ShadowPod {
  const pod = { metadata: { name: 'db-0', namespace: 'demo', uid }, spec: { containers: [{ name: 'db' }] } };
  const submission = { pod, virtualNode: 'headcut-b', objects: [], ...(fencing === undefined ? {} : { fencing }) };
  return toShadowPod(consumer, submission);
}

/** A provider with pods of a consumer that answers as `answer` says; its memory is `kept`. */
function start(
  shadows: ShadowPod | ShadowPod[],
  answer: (asked: readonly string[]) => Promise<string[]>,
  kept = new Map<string, number>(),
  tell: (leases: KeptLeases) => Promise<void> = () => Promise.resolve(),
  isThere: (consumer: string) => boolean = () => true,
): { leases: Leases; kept: Map<string, number> } {
  const call = async (_name: string, { body }: { body: { pods: string[] } }) => ({ ended: await answer(body.pods) });
  const link = { speaks: () => true, call } as unknown as PeerLink;
  const leases = new Leases({
    shadowPods: {
      list: () => [shadows].flat(),
      get: (key: string) => [shadows].flat().find((one) => objectKey(one) === key),
      whenSynced: () => Promise.resolve(),
    } as unknown as Store<ShadowPod>,
    links: { get: (consumer: string) => (isThere(consumer) ? link : undefined) } as unknown as PeerLinks,
    memory: {
      load: () => Promise.resolve({ askedAt: new Map(kept), pods: [] }),
      save: async ({ askedAt }) => {
        for (const [consumer, at] of askedAt) kept.set(consumer, at);
      },
    },
    guard: { tell },
    uptime: clock.monotonic,
    clock,
    logger: silentLogger,
  });
  const stop = new AbortController();
  stops.push(() => stop.abort());
  void leases.run(stop.signal);
  return { leases, kept };
}

const yes = (): Promise<string[]> => Promise.resolve([]);
const no = (): Promise<string[]> => Promise.reject(new Error('cannot reach it'));

describe('a fenced pod', () => {
  test('goes on as long as its home answers, and is stopped for good after its time without an answer', async () => {
    let answer = yes;
    const shadow = shadowOf({ afterSeconds: 10 });
    const { leases } = start(shadow, () => answer());
    await eventually(() => leases.mayRun(shadow));
    await clock.sleep(15_000);
    expect([leases.mayRun(shadow), leases.isFenced(shadow)]).toEqual([true, false]);
    answer = no;
    const silentSince = clock.monotonic();
    await eventually(() => leases.isFenced(shadow));
    const took = clock.monotonic() - silentSince;
    expect(took).toBeGreaterThan(6_000);
    expect(took).toBeLessThan(14_000);
    answer = yes;
    await clock.sleep(5_000);
    expect([leases.mayRun(shadow), leases.isFenced(shadow)]).toEqual([false, true]);
  });

  test('that ran on a machine which was paused goes on only if its home answers then', async () => {
    let answer = yes;
    const shadow = shadowOf({ afterSeconds: 60 });
    const { leases } = start(shadow, () => answer());
    await eventually(() => leases.mayRun(shadow));
    // The wall clock is put right after the pause, or is merely set: the home is there.
    wallAheadMs += 300_000;
    await clock.sleep(15_000);
    expect([leases.mayRun(shadow), leases.isFenced(shadow)]).toEqual([true, false]);
    answer = no;
    await clock.sleep(1_000);
    expect(leases.mayRun(shadow)).toBe(true);
    wallAheadMs += 300_000;
    const noticedAt = clock.monotonic();
    await eventually(() => leases.isFenced(shadow));
    expect(clock.monotonic() - noticedAt).toBeLessThan(20_000);
  });

  test('is stopped by what its own home says, not by what another member says of a pod with the same UID', async () => {
    const [own, others] = [shadowOf({ afterSeconds: 10 }), shadowOf({ afterSeconds: 10 }, 'u1', 'other')];
    const { leases } = start([own, others], yes, new Map(), undefined, (consumer) => consumer !== 'other');
    await eventually(() => leases.isFenced(others));
    expect([leases.mayRun(own), leases.isFenced(own)]).toEqual([true, false]);
  });

  test('may not start before its home answered, and is stopped when it does not', async () => {
    const shadow = shadowOf({ afterSeconds: 10 });
    const { leases } = start(shadow, no);
    expect(leases.mayRun(shadow)).toBe(false);
    await expect(leases.ensure('consumer')).rejects.toThrow('cannot reach it');
    await eventually(() => leases.isFenced(shadow));
  });

  test('starts when the guard knows of it, and not before, and is not taken meanwhile', async () => {
    const shadow = { ...shadowOf({ afterSeconds: 10 }), status: { podUID: 'here' } };
    let tell = (): Promise<void> => Promise.reject(new Error('the guard is away'));
    const { leases } = start(shadow, yes, new Map(), () => tell());
    await eventually(() => leases.mayRun(shadow));
    await clock.sleep(3_000);
    expect([leases.mayRun(shadow), leases.mayStart(shadow)]).toEqual([true, false]);
    await expect(leases.ensure('consumer')).rejects.toThrow('the guard is away');
    tell = () => Promise.resolve();
    await leases.ensure('consumer');
    await eventually(() => leases.mayStart(shadow));
    expect(leases.mayStart({ ...shadow, status: { podUID: 'another one' } })).toBe(false);
    expect(leases.mayStart(shadowOf(undefined))).toBe(true);
  });

  test('is stopped at once by an agent that starts after its time', async () => {
    const shadow = shadowOf({ afterSeconds: 10 });
    const startedAt = clock.monotonic();
    const { leases } = start(shadow, no, new Map([['consumer', startedAt - 11_000]]));
    await eventually(() => leases.isFenced(shadow));
    expect(clock.monotonic() - startedAt).toBeLessThan(10_000);
  });

  test('that was out of contact for too long while the machine stood still is stopped, also when its home answers again', async () => {
    const shadow = shadowOf({ afterSeconds: 10 });
    const kept = new Map([['consumer', clock.monotonic() - 11_000]]);
    const { leases } = start(shadow, yes, kept);
    await eventually(() => leases.isFenced(shadow));
    await clock.sleep(3_000);
    expect(leases.mayRun(shadow)).toBe(false);
  });

  test('that its home has no more never starts, also when nobody here knows since when', async () => {
    const [gone, fine] = [shadowOf({ afterSeconds: 10 }), shadowOf({ afterSeconds: 10 }, 'u2')];
    let asked: readonly string[] = [];
    const { leases } = start([gone, fine], async (pods) => {
      asked = pods;
      return ['u1', 'another'];
    });
    await eventually(() => leases.isFenced(gone) && leases.mayRun(fine));
    expect([asked, leases.mayRun(gone), leases.isFenced(fine)]).toEqual([['u1', 'u2'], false, false]);
  });

  test('is another thing than one that is not fenced', async () => {
    const shadow = shadowOf(undefined);
    const { leases } = start(shadow, no);
    await clock.sleep(25_000);
    expect([leases.mayRun(shadow), leases.isFenced(shadow)]).toEqual([true, false]);
  });
});

test('the consumer waits for its own time from its last answer on, or from its start', () => {
  let now = 100_000;
  const grants = new LeaseGrants(knownPods([]), () => now);
  const whole = grants.fencedInMs('p', 30_000);
  expect(whole).toBeGreaterThanOrEqual(40_000);
  now += 20_000;
  expect(grants.fencedInMs('p', 30_000)).toBe(whole - 20_000);
  grants.grant('p', []);
  expect(grants.fencedInMs('p', 30_000)).toBe(whole);
  now += whole;
  expect(grants.fencedInMs('p', 30_000)).toBe(0);
});

test('the consumer consents only to pods that it has, and to none before it knows its pods', () => {
  const replaced = { type: 'DisruptionTarget', status: 'True' as const, reason: PEER_LOST_REASON };
  const pods = [
    podOf('here'),
    podOf('deleted-by-its-owner', { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    podOf('ended', {}, { phase: 'Failed' }),
    podOf('replaced', { deletionTimestamp: '2026-01-01T00:00:00Z' }, { conditions: [replaced] }),
  ];
  const asked = [...pods.map(({ metadata }) => metadata.uid ?? ''), 'gone'];
  expect(new LeaseGrants(knownPods(pods), () => 0).grant('p', asked)).toEqual(['ended', 'replaced', 'gone']);
  expect(() => new LeaseGrants({ ...knownPods(pods), synced: false }, () => 0).grant('p', asked)).toThrow('starting');
});

test('the consumer consents no more to a pod whose place it gave to another, and gives none away while its peer may be heard', () => {
  let now = 100_000;
  const grants = new LeaseGrants(knownPods([podOf('db-0')]), () => now);
  expect(grants.grant('p', ['db-0'])).toEqual([]);
  expect(grants.letGo('p', 'db-0', 10_000)).toBe(false);
  now += 25_000;
  expect(grants.letGo('p', 'db-0', 10_000)).toBe(true);
  expect(grants.grant('p', ['db-0'])).toEqual(['db-0']);
  // Heard or not: its place is free.
  expect([grants.letGo('p', 'db-0', 10_000), grants.fencedInMs('p', 10_000, 'db-0')]).toEqual([true, 0]);
  expect(grants.letGo('p', 'db-1', 10_000)).toBe(false);
});

const knownPods = (pods: Pod[]) => ({ synced: true, list: () => pods });

function podOf(uid: string, metadata: object = {}, status: PodStatus = {}): Pod {
  return { metadata: { name: uid, uid, ...metadata }, spec: { containers: [] }, status };
}

test('what was agreed is known to the next process, and is void after the machine started anew', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headcut-leases-'));
  stops.push(() => rm(folder, { recursive: true }));
  const memory = createLeaseMemory(folder);
  const nothing = { askedAt: new Map(), pods: [] };
  expect(await memory.load()).toEqual(nothing);
  const pods = [{ namespace: 'demo', name: 'db-0', uid: 'u1', consumer: 'consumer', afterMs: 15_000 }];
  const leases = { askedAt: new Map([['consumer', 123]]), pods };
  await memory.save(leases);
  expect(await createLeaseMemory(folder).load()).toEqual(leases);
  await writeFile(join(folder, 'leases.json'), `another\n${formatLeases(leases)}\n`);
  expect(await memory.load()).toEqual(nothing);
  await writeFile(join(folder, 'leases.json'), 'half');
  expect(await memory.load()).toEqual(nothing);
});

test('a pod that should have ended is told to the guard as one whose time is over, until it has', async () => {
  const told: KeptLeases[] = [];
  const shadow: ShadowPod = { ...shadowOf(undefined), status: { podUID: 'r1' } };
  const shadows = [shadow];
  const { leases, kept } = start(shadows, yes, new Map(), async (what) => void told.push(what));
  leases.kill(shadow, 'r1');
  await eventually(() => told.at(-1)?.pods.length === 1);
  const [pod] = told.at(-1)?.pods ?? [];
  expect(pod).toMatchObject({ uid: 'r1', name: 'db-0', namespace: shadow.metadata.namespace, afterMs: 0 });
  expect(told.at(-1)?.askedAt.get(pod?.consumer ?? '')).toBeLessThanOrEqual(clock.monotonic());
  shadows.pop();
  await eventually(() => told.at(-1)?.pods.length === 0);
  expect([...kept.keys()]).toEqual([]);
});
