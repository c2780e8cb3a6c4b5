import { afterEach, describe, expect, test } from 'vitest';
import { guardFencedPods, learn } from '../../../src/agent/fencing/fence-guard.ts';
import type { FencedPod, KeptLeases } from '../../../src/agent/fencing/lease-memory.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLogger } from '../../../src/runtime/logger.ts';

const SPEED = 100;
const clock = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / SPEED, signal),
};
const uptime = (): number => systemClock.monotonic() * SPEED;

const db: FencedPod = { namespace: 'demo', name: 'db-0', uid: 'u1', consumer: 'home', afterMs: 15_000 };

let stop = new AbortController();
afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

/** A guard of what an agent told; notes which pods it stopped and which it killed, by UID. */
function guard(
  kept: KeptLeases,
  stopPod: (pod: FencedPod) => Promise<void> = () => Promise.resolve(),
  killPod: (uid: string) => Promise<number> = () => Promise.resolve(1),
) {
  const stopped: string[] = [];
  const killed: string[] = [];
  const stopAndNote = async (pod: FencedPod): Promise<void> => {
    await stopPod(pod);
    stopped.push(pod.uid);
  };
  const killAndNote = async (uid: string): Promise<number> => {
    killed.push(uid);
    return killPod(uid);
  };
  let told = true;
  const deps = {
    leases: () => kept,
    isTold: () => told,
    uptime,
    stopPod: stopAndNote,
    killPod: killAndNote,
    clock,
    logger: silentLogger,
  };
  const ended = guardFencedPods(deps, stop.signal);
  /** The agent tells another one from now on. */
  const giveWay = (): void => {
    told = false;
  };
  return { stopped, killed, ended, giveWay };
}

const heard = (agoMs: number) => new Map([['home', uptime() - agoMs]]);

describe('a fenced pod', () => {
  test('is stopped sooner on a machine that was paused, if its home was not heard since', async () => {
    let aheadMs = 0;
    const { now } = systemClock;
    clock.now = () => now() + aheadMs;
    try {
      const day = { ...db, afterMs: 86_400_000 };
      const { stopped } = guard({ askedAt: heard(1_000), pods: [day] });
      await clock.sleep(5_000);
      expect(stopped).toEqual([]);
      aheadMs = 100_000_000;
      await expect.poll(() => stopped, { timeout: 5_000 }).toEqual(['u1']);
    } finally {
      clock.now = now;
    }
  });

  test('is stopped once when its home was not heard for its time, whatever the agent does', async () => {
    const { stopped } = guard({ askedAt: heard(20_000), pods: [db] });
    await expect.poll(() => stopped).toEqual(['u1']);
    await clock.sleep(5_000);
    expect(stopped).toEqual(['u1']);
  });

  test('is left to the agent for a moment, and goes on while its home is heard', async () => {
    const askedAt = heard(14_000);
    const { stopped } = guard({ askedAt, pods: [db] });
    for (let second = 0; second < 20; second++) {
      askedAt.set('home', uptime() - 14_000);
      await clock.sleep(1_000);
    }
    expect(stopped).toEqual([]);
  });

  test('is tried again until the API server takes it', async () => {
    let refusals = 3;
    const { stopped } = guard({ askedAt: heard(20_000), pods: [db] }, () =>
      refusals-- > 0 ? Promise.reject(new Error('no')) : Promise.resolve(),
    );
    await expect.poll(() => stopped).toEqual(['u1']);
    expect(refusals).toBe(-1);
  });

  test('is killed again and again when it runs on, also while the API server does not answer', async () => {
    const never = new Promise<void>(() => {});
    const { stopped, killed } = guard({ askedAt: heard(17_500), pods: [db] }, () => never);
    expect(killed).toEqual([]);
    await expect.poll(() => killed.length).toBeGreaterThan(3);
    expect(stopped).toEqual([]);
  });

  test('is killed also where one process cannot be', async () => {
    const { killed } = guard({ askedAt: heard(30_000), pods: [db] }, undefined, () => Promise.reject(new Error('no')));
    await expect.poll(() => killed.length).toBeGreaterThan(2);
  });

  test('is not killed before kubelet and API server had their time', async () => {
    // As long ago whenever it looks: also on a machine that stands still for a moment.
    const askedAt = heard(0);
    askedAt.get = () => uptime() - 19_500;
    const { stopped, killed } = guard({ askedAt, pods: [db] });
    await clock.sleep(20_000);
    expect([stopped, killed]).toEqual([['u1'], []]);
  });

  test('goes on when the guard was away for long, and hears at its start that all is well', async () => {
    const askedAt = heard(60_000);
    const { stopped, killed } = guard({ askedAt, pods: [db] });
    askedAt.get = uptime;
    await clock.sleep(10_000);
    expect([stopped, killed]).toEqual([[], []]);
  });

  test('is not stopped by a guard that the agent does not tell any more: that one ends', async () => {
    const { stopped, ended, giveWay } = guard({ askedAt: heard(0), pods: [db] });
    giveWay();
    await ended;
    expect(stopped).toEqual([]);
  });

  test('of a home that was not asked yet is the matter of the agent', async () => {
    const { stopped, killed } = guard({ askedAt: new Map(), pods: [db] });
    await clock.sleep(20_000);
    expect([stopped, killed]).toEqual([[], []]);
  });
});

test('an agent that is new makes the guard forget no home of a pod that is still there', () => {
  const known = {
    askedAt: new Map([
      ['home', 100],
      ['gone', 90],
    ]),
    pods: [db],
  };
  expect(learn(known, { askedAt: new Map(), pods: [db] })).toEqual({ askedAt: new Map([['home', 100]]), pods: [db] });
  const heard = new Map([['home', 200]]);
  expect(learn(known, { askedAt: heard, pods: [db] })).toEqual({ askedAt: heard, pods: [db] });
  expect(learn(known, { askedAt: new Map(), pods: [] })).toEqual({ askedAt: new Map(), pods: [] });
});
