import { describe, expect, test } from 'vitest';
import type { PodEvent } from '../../../src/core/exchange/pod-submission.ts';
import {
  GATHER_MS,
  initiallyTold,
  LONGEST_MS,
  planToldEvents,
  type ToldEvents,
} from '../../../src/core/offloading/told-events.ts';

const event = (id: string, reason: string, type = 'Normal', message = `${reason} it`): PodEvent => ({
  ...{ id, reason, type, message, count: 1 },
  lastTimestamp: '2026-01-01T12:00:00Z',
});
const pulled = event('1', 'Pulled');
const created = event('2', 'Created');
const started = event('3', 'Started');
const failed = event('4', 'Failed', 'Warning');

/** What is told at each of these times, given what the provider shows then. */
function tellAt(times: [at: number, events: PodEvent[], starting?: boolean][], first?: ToldEvents) {
  let told = first ?? initiallyTold([], false);
  return times.map(([now, events, starting = false]) => {
    const plan = planToldEvents(told, events, { now, starting });
    told = plan.told;
    return plan.tell.map(({ id, reason, message }) => `${id} ${reason}: ${message}`);
  });
}

describe('what a provider says about a pod', () => {
  test('is told at home in one event when all goes well, as soon as a moment has passed', () => {
    expect(
      tellAt([
        [0, [pulled], true],
        [GATHER_MS, [pulled, created], true],
        [GATHER_MS + 500, [pulled, created, started]],
        [2 * GATHER_MS + 500, [pulled, created, started]],
        [9 * GATHER_MS, [pulled, created, started]],
      ]),
    ).toEqual([[], [], [], ['1 Started: Pulled it; Created it; Started it'], []]);
    expect(planToldEvents(initiallyTold([], false), [pulled], { now: 7, starting: false }).againMs).toBe(GATHER_MS);
  });

  test('is told in parts when a pod takes long to start', () => {
    const pulling = event('0', 'Pulling');
    expect(
      tellAt([
        [0, [pulling], true],
        [LONGEST_MS, [pulling], true],
        [60_000, [pulling, pulled, created, started]],
        [60_000 + GATHER_MS, [pulling, pulled, created, started]],
      ]),
    ).toEqual([[], ['0 Pulling: Pulling it'], [], ['1 Started: Pulled it; Created it; Started it']]);
  });

  test('is told at once when it is a warning, and does not hold back or hasten the rest', () => {
    expect(
      tellAt([
        [0, [pulled]],
        [100, [pulled, failed]],
        [GATHER_MS, [pulled, failed]],
      ]),
    ).toEqual([[], ['4 Failed: Failed it'], ['1 Pulled: Pulled it']]);
  });

  test('is told again when it is new: a container that starts once more', () => {
    const killing = event('5', 'Killing', 'Normal', 'Container c failed liveness probe, will be restarted');
    const all = [pulled, created, started];
    expect(
      tellAt([
        [0, all],
        [GATHER_MS, all],
        [60_000, [...all, killing]],
        [60_000 + GATHER_MS, [...all, killing]],
      ]).at(-1),
    ).toEqual(['5 Killing: Container c failed liveness probe, will be restarted']);
  });

  test('is not told once more after a restart of the agent, but for warnings, whose events are there already', () => {
    const events = [pulled, created, started, failed];
    expect(
      tellAt(
        [
          [0, events],
          [GATHER_MS, events],
        ],
        initiallyTold(events, true),
      ),
    ).toEqual([['4 Failed: Failed it'], []]);
  });

  test('is bounded, whatever it sends', () => {
    let told = initiallyTold([], false);
    let count = 0;
    for (let second = 0; second < 3_600; second += 1) {
      const plan = planToldEvents(told, [event(`w${second}`, 'Spam', 'Warning')], {
        now: second * 1_000,
        starting: false,
      });
      told = plan.told;
      count += plan.tell.length;
    }
    expect(count).toBeLessThanOrEqual(25 + 12);
    expect(told.done.size).toBeLessThanOrEqual(100);
  });
});
