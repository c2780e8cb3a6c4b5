import { describe, expect, it } from 'vitest';
import { rankRelays } from '../../../src/core/membership/relay-choice.ts';

const member = (id: string, roundTripMs: number | undefined, reach: Record<string, number>) => ({
  id,
  roundTripMs,
  reach: new Map(Object.entries(reach)),
});

describe('the member to go through', () => {
  it('is the one with the shortest way to both', () => {
    const members = [member('a', 10, { x: 50 }), member('b', 30, { x: 5 }), member('c', 1, { y: 1 })];
    expect(rankRelays(members, 'x')).toEqual(['b', 'a']);
    expect(rankRelays(members.toReversed(), 'x')).toEqual(['b', 'a']);
  });

  it('is the one with the smaller ID of two alike, and never the peer itself', () => {
    const members = [member('b', 5, { x: 5 }), member('a', 5, { x: 5 }), member('x', 1, { x: 1 })];
    expect(rankRelays(members, 'x')).toEqual(['a', 'b']);
  });

  it('is rather one whose way was measured', () => {
    expect(rankRelays([member('a', undefined, { x: 1 }), member('b', 100, { x: 100 })], 'x')).toEqual(['b', 'a']);
  });
});
