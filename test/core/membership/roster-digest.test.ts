import { describe, expect, it } from 'vitest';
import type { PeerRecord } from '../../../src/core/membership/peer-record.ts';
import { digestOfRoster, recordsMissingFrom, versionsOf } from '../../../src/core/membership/roster-digest.ts';

const record = (name: string, incarnation = 1): PeerRecord => ({
  id: name.padEnd(52, 'x'),
  name,
  endpoints: ['192.0.2.1:7443'],
  certificate: '',
  incarnation,
  protocol: 3,
  signature: '',
});
const [a, b, c] = [record('a'), record('b'), record('c')];
const missing = (versions: Record<string, number>, members: PeerRecord[], left: PeerRecord[] = []) =>
  recordsMissingFrom(versions, members, left).map(({ name, incarnation }) => `${name}${incarnation}`);

describe('the digest of a roster', () => {
  it('is the same for the same versions of the same members, in any order', () => {
    expect(digestOfRoster([a, b, c])).toBe(digestOfRoster([c, a, b]));
    expect(digestOfRoster([a, { ...b, vouch: { by: 'x', signature: '' } }])).toBe(digestOfRoster([a, b]));
  });

  it.each([
    ['one member less', [a, b]],
    ['another member', [a, b, record('d')]],
    ['a newer version', [a, b, record('c', 2)]],
  ])('is another one with %s', (_what, records) => {
    expect(digestOfRoster(records)).not.toBe(digestOfRoster([a, b, c]));
  });
});

describe('what somebody lacks', () => {
  it('is everything for who knows nothing, and nothing for who knows the same', () => {
    expect(missing({}, [a, b])).toEqual(['a1', 'b1']);
    expect(missing(versionsOf([a, b], [], []), [a, b])).toEqual([]);
  });

  it('is what is new or newer, not what is older', () => {
    const theirs = versionsOf([record('a', 2), record('b', 2)], [], []);
    expect(missing(theirs, [record('a', 1), record('b', 3), c])).toEqual(['b3', 'c1']);
  });

  it('is no member that they removed, nor one whose last word they heard', () => {
    expect(missing(versionsOf([a], [], [b.id]), [a, record('b', 7)])).toEqual([]);
    expect(missing(versionsOf([a], [record('b', 2)], []), [a, b])).toEqual([]);
    expect(missing(versionsOf([a], [record('b', 2)], []), [a, record('b', 3)])).toEqual(['b3']);
  });

  it('is the last word of a member that they still have, and of nobody else', () => {
    const left = [record('b', 2), record('c', 2)];
    expect(missing(versionsOf([a, b], [], []), [a], left)).toEqual(['b2']);
  });
});
