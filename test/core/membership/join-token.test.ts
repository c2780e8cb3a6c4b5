import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJoinToken, parseJoinToken } from '../../../src/core/membership/join-token.ts';

const token = {
  endpoints: ['192.0.2.7:7443', '[2001:db8::7]:7443'],
  inviter: 'a'.repeat(52),
  invitation: '0123456789',
  secret: 's3cret_-',
  expiresAt: 1_800_000_000_000,
};

describe('join tokens', () => {
  it('come back as they were made, also with white space around', () => {
    expect(parseJoinToken(formatJoinToken(token))).toEqual(token);
    expect(parseJoinToken(`\n ${formatJoinToken(token)}\r\n`)).toEqual(token);
  });

  it('say how many keys the inviter had replaced, where it had', () => {
    const later = { ...token, replacedKeys: 3 };
    expect(parseJoinToken(formatJoinToken(later))).toEqual(later);
    expect(formatJoinToken({ ...token, replacedKeys: 0 })).toBe(formatJoinToken(token));
  });

  it('are one word without characters that shells or URLs change', () => {
    expect(formatJoinToken(token)).toMatch(/^headcut1\.[A-Za-z0-9_.-]+$/);
  });

  it('are refused when any one character is another or missing', () => {
    const text = formatJoinToken(token);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom('', 'A', 'z', '0'), (at, instead) => {
        if (text[at] === instead) return;
        expect(() => parseJoinToken(text.slice(0, at) + instead + text.slice(at + 1))).toThrow(/token/);
      }),
    );
  });

  it('say what to do about something that is no token', () => {
    expect(() => parseJoinToken('hello')).toThrow(/headcut invite/);
    expect(() => parseJoinToken('headcut1.')).toThrow(/altered|incomplete/);
  });
});
