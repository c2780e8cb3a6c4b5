import { describe, expect, it } from 'vitest';
import { peerStateOf } from '../../../src/core/membership/peer-state.ts';

describe('the state of a peer', () => {
  it.each([
    { silentMs: 0, open: true, restarting: false, state: 'Connected' },
    { silentMs: 1_999, open: true, restarting: false, state: 'Connected' },
    { silentMs: 2_000, open: true, restarting: false, state: 'Suspect' },
    { silentMs: 2_999, open: true, restarting: false, state: 'Suspect' },
    { silentMs: 3_000, open: true, restarting: false, state: 'Unreachable' },
    { silentMs: 10, open: false, restarting: false, state: 'Suspect' },
    { silentMs: 3_000, open: false, restarting: false, state: 'Unreachable' },
    { silentMs: 20_000, open: false, restarting: true, state: 'Suspect' },
    { silentMs: 60_000, open: false, restarting: true, state: 'Unreachable' },
  ])(
    'is $state after $silentMs ms of silence (open: $open, restarting: $restarting)',
    ({ silentMs, open, restarting, state }) => {
      expect(peerStateOf({ lastHeardAt: 5_000, open, restarting }, 5_000 + silentMs)).toBe(state);
    },
  );
});
