import { describe, expect, it } from 'vitest';
import {
  flapHoldMs,
  isQuiet,
  isSilent,
  mayBeRestarting,
  peerStateOf,
  smoothRoundTrip,
} from '../../../src/core/membership/peer-state.ts';

describe('the state of a peer', () => {
  it.each([
    { silentMs: 0, open: true, restarting: false, state: 'Connected' },
    { silentMs: 1_999, open: true, restarting: false, state: 'Connected' },
    { silentMs: 2_000, open: true, restarting: false, state: 'Suspect' },
    { silentMs: 2_799, open: true, restarting: false, state: 'Suspect' },
    { silentMs: 2_800, open: true, restarting: false, state: 'Unreachable' },
    { silentMs: 10, open: false, restarting: false, state: 'Suspect' },
    { silentMs: 2_800, open: false, restarting: false, state: 'Unreachable' },
    { silentMs: 20_000, open: false, restarting: true, state: 'Suspect' },
    { silentMs: 60_000, open: false, restarting: true, state: 'Unreachable' },
  ])(
    'is $state after $silentMs ms of silence (open: $open, restarting: $restarting)',
    ({ silentMs, open, restarting, state }) => {
      expect(peerStateOf({ lastHeardAt: 5_000, open, restarting }, 5_000 + silentMs)).toBe(state);
    },
  );

  it('allows for the repetition of lost packets on a long way', () => {
    const contact = { lastHeardAt: 0, open: true, restarting: false, roundTripMs: 500 };
    expect(peerStateOf(contact, 2_800)).toBe('Connected');
    expect(peerStateOf(contact, 3_600)).toBe('Suspect');
    expect(peerStateOf(contact, 3_700)).toBe('Unreachable');
  });

  it.each([true, false])('is suspect for three seconds after it proved to be alive (open: %s)', (open) => {
    const contact = { lastHeardAt: 0, open, restarting: false, provenAt: 2_500 };
    expect(peerStateOf(contact, 5_400)).toBe('Suspect');
    expect(isSilent(contact, 3_000)).toBe(true);
    expect(peerStateOf(contact, 5_500)).toBe('Unreachable');
  });

  it('is asked for a sign of life before it is suspect, on a connection that is open', () => {
    const contact = { lastHeardAt: 0, open: true, restarting: false };
    expect([1_400, 1_500].map((now) => isQuiet(contact, now))).toEqual([false, true]);
    expect(isQuiet({ ...contact, open: false }, 1_500)).toBe(false);
    expect(isQuiet({ ...contact, roundTripMs: 300 }, 1_700)).toBe(false);
  });

  it('stays unreachable while it is held, however well it is heard', () => {
    const contact = { lastHeardAt: 9_900, open: true, restarting: false, heldUntil: 12_000 };
    expect(peerStateOf(contact, 10_000)).toBe('Unreachable');
    expect(peerStateOf({ ...contact, lastHeardAt: 12_000 }, 12_000)).toBe('Connected');
  });
});

it.each([
  { shown: 'Connected', waited: true },
  { shown: 'Suspect', waited: true },
  { shown: 'Unreachable', waited: false },
  { shown: undefined, waited: false },
])('waits for a peer that was shown as $shown before the start of the agent: $waited', ({ shown, waited }) => {
  expect(mayBeRestarting(shown)).toBe(waited);
});

describe('a peer that fails again and again', () => {
  it('is held longer each time, up to a minute', () => {
    const failures = [1, 2, 3, 4, 5, 6, 7, 8];
    expect(failures.map((n) => flapHoldMs(failures.slice(0, n), 10))).toEqual([
      0, 0, 5_000, 10_000, 20_000, 40_000, 60_000, 60_000,
    ]);
  });

  it('is trusted again after ten quiet minutes', () => {
    expect(flapHoldMs([1, 2, 3], 3 + 10 * 60_000)).toBe(0);
  });
});

it('smooths round-trip times', () => {
  expect(smoothRoundTrip(undefined, 8)).toBe(8);
  expect(smoothRoundTrip(8, 16)).toBe(9);
});
