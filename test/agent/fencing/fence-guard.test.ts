import { afterEach, describe, expect, test } from 'vitest';
import { guardFencedPods } from '../../../src/agent/fencing/fence-guard.ts';
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

/** A guard of what an agent wrote down; gives the UIDs of the pods that it stopped. */
function guard(kept: KeptLeases, stopPod: (pod: FencedPod) => Promise<void> = () => Promise.resolve()) {
  const stopped: string[] = [];
  const memory = { load: () => Promise.resolve(kept) };
  const note = async (pod: FencedPod): Promise<void> => {
    await stopPod(pod);
    stopped.push(pod.uid);
  };
  void guardFencedPods({ memory, uptime, stopPod: note, clock, logger: silentLogger }, stop.signal);
  return stopped;
}

const heard = (agoMs: number) => new Map([['home', uptime() - agoMs]]);

describe('a fenced pod', () => {
  test('is stopped once when its home was not heard for its time, whatever the agent does', async () => {
    const stopped = guard({ askedAt: heard(20_000), pods: [db] });
    await expect.poll(() => stopped).toEqual(['u1']);
    await clock.sleep(5_000);
    expect(stopped).toEqual(['u1']);
  });

  test('is left to the agent for a moment, and goes on while its home is heard', async () => {
    const askedAt = heard(14_000);
    const stopped = guard({ askedAt, pods: [db] });
    for (let second = 0; second < 20; second++) {
      askedAt.set('home', uptime() - 14_000);
      await clock.sleep(1_000);
    }
    expect(stopped).toEqual([]);
  });

  test('is tried again until the API server takes it', async () => {
    let refusals = 3;
    const stopped = guard({ askedAt: heard(20_000), pods: [db] }, () =>
      refusals-- > 0 ? Promise.reject(new Error('no')) : Promise.resolve(),
    );
    await expect.poll(() => stopped).toEqual(['u1']);
    expect(refusals).toBe(-1);
  });

  test('of a home that was not asked yet is the matter of the agent', async () => {
    const stopped = guard({ askedAt: new Map(), pods: [db] });
    await clock.sleep(20_000);
    expect(stopped).toEqual([]);
  });
});
