import { describe, expect, it } from 'vitest';
import { chooseConnection, type OpenConnection } from '../../../src/core/membership/connection-choice.ts';

const connection = (changes: Partial<OpenConnection> & { instance?: string } = {}): OpenConnection => ({
  dialed: true,
  peer: { instance: changes.instance ?? 'one' },
  draining: false,
  via: undefined,
  keyGenerations: { own: 0, peer: 0 },
  ...changes,
});

/** What each of the two ends does with connections that `a` (the smaller ID) dialled or not. */
function bothSides(open: { byA: boolean; instance?: string; via?: string }[]) {
  const seenBy = (side: 'a' | 'b') =>
    open.map(({ byA, ...rest }) => connection({ ...rest, dialed: byA === (side === 'a') }));
  const [a, b] = [seenBy('a'), seenBy('b')];
  const place = (list: OpenConnection[], one: OpenConnection | undefined) =>
    one === undefined ? -1 : list.indexOf(one);
  const [forA, forB] = [chooseConnection('a', 'b', a), chooseConnection('b', 'a', b)];
  return {
    used: [place(a, forA.use), place(b, forB.use)],
    dropped: [forA.drop.map((one) => place(a, one)), forB.drop.map((one) => place(b, one))],
  };
}

const swap = ({ keyGenerations: { own, peer } }: OpenConnection) => ({ own: peer, peer: own });

describe('the connection to use', () => {
  it('is the only one there is, whoever dialled', () => {
    expect(bothSides([{ byA: true }])).toEqual({ used: [0, 0], dropped: [[], []] });
    expect(bothSides([{ byA: false }])).toEqual({ used: [0, 0], dropped: [[], []] });
    expect(chooseConnection('a', 'b', [])).toEqual({ use: undefined, drop: [], outdated: [] });
  });

  it('is the one that the smaller ID dialled when both did, and only that member closes the other', () => {
    expect(bothSides([{ byA: true }, { byA: false }])).toEqual({ used: [0, 0], dropped: [[1], []] });
    expect(bothSides([{ byA: false }, { byA: true }])).toEqual({ used: [1, 1], dropped: [[0], []] });
  });

  it('is the newer of two that the same side dialled', () => {
    expect(bothSides([{ byA: false }, { byA: false }])).toEqual({ used: [1, 1], dropped: [[0], [0]] });
  });

  it('is never one to an earlier process of the peer', () => {
    const old = connection({ dialed: true });
    const present = connection({ dialed: false, instance: 'two' });
    expect(chooseConnection('a', 'b', [old, present])).toEqual({ use: present, drop: [old], outdated: [] });
    expect(chooseConnection('b', 'a', [old, present])).toEqual({ use: present, drop: [old], outdated: [] });
  });

  it('is a direct one rather than one through a third member', () => {
    expect(bothSides([{ byA: true, via: 'c' }, { byA: false }])).toEqual({ used: [1, 1], dropped: [[0], []] });
  });

  it('is the one by the latest keys, whoever dialled; those by earlier ones are left to end', () => {
    const old = connection({ dialed: true });
    const byNext = connection({ dialed: false, keyGenerations: { own: 0, peer: 1 }, via: 'c' });
    expect(chooseConnection('a', 'b', [old, byNext])).toEqual({ use: byNext, drop: [], outdated: [old] });
    const seenByB = [old, byNext].map((one) => ({ ...one, dialed: !one.dialed, keyGenerations: swap(one) }));
    expect(chooseConnection('b', 'a', seenByB)).toEqual({ use: seenByB[1], drop: [], outdated: [seenByB[0]] });
    expect(chooseConnection('a', 'b', [byNext, old]).use).toBe(byNext);
  });

  it('is none that takes no more calls', () => {
    const draining = connection({ draining: true });
    expect(chooseConnection('a', 'b', [draining])).toEqual({ use: undefined, drop: [], outdated: [] });
  });
});
