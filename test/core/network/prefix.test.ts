import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  contains,
  formatIpv4,
  formatPrefix,
  mapAddress,
  parseIpv4,
  parsePrefix,
  sizeOf,
} from '../../../src/core/network/prefix.ts';

const prefixes = (length: number) =>
  fc.integer({ min: 0, max: 2 ** length - 1 }).map((number) => ({ base: number * 2 ** (32 - length), length }));

describe('an IPv4 network', () => {
  test.each(['10.244.0.0/24', '0.0.0.0/0', '255.255.255.255/32', '100.64.0.0/10'])('%s is read and written', (text) => {
    expect(formatPrefix(parsePrefix(text))).toBe(text);
  });

  test.each([
    '10.244.0.1/24',
    '100.064.5.0/24',
    '10.244.0.0/08',
    '10.0.0.0/8/8',
    '10.244.0.0',
    '10.244.0.0/33',
    '300.0.0.0/8',
    'fd00::/64',
    '',
  ])('"%s" is none', (text) => {
    expect(() => parsePrefix(text)).toThrow('no IPv4 network');
  });

  test('is mapped one to one to another of its size, and back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 8, max: 30 }).chain((length) => fc.tuple(prefixes(length), prefixes(length), fc.nat())),
        ([from, to, offset]) => {
          const address = formatIpv4(from.base + (offset % sizeOf(from)));
          const image = mapAddress(address, from, to) ?? '';
          expect(contains(to, parseIpv4(image) ?? -1)).toBe(true);
          expect(mapAddress(image, to, from)).toBe(address);
        },
      ),
    );
  });

  test('has no image for what lies outside it', () => {
    const [from, to] = [parsePrefix('10.244.0.0/24'), parsePrefix('100.64.7.0/24')];
    for (const address of ['10.244.1.0', '10.243.255.255', 'fd00::1', 'x']) {
      expect(mapAddress(address, from, to)).toBeUndefined();
    }
  });
});
