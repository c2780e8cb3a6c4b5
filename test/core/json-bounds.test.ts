import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MAX_JSON_DEPTH,
  MAX_JSON_NAMES,
  MAX_JSON_VALUES,
  parseJson,
  problemOfJson,
} from '../../src/core/json-bounds.ts';
import { cpuMsOf } from '../cpu-time.ts';

const MIB = 1024 * 1024;

describe('what a JSON text costs is seen before it is read', () => {
  test('where it is nested deeper than anything is', () => {
    const nested = (depth: number): string => `${'[{"a":'.repeat(depth / 2)}1${'}]'.repeat(depth / 2)}`;
    expect(problemOfJson(nested(MAX_JSON_DEPTH))).toBeUndefined();
    expect(problemOfJson(nested(MAX_JSON_DEPTH + 2))).toContain('levels deep');
  });

  test('where it has more values than anything has', () => {
    expect(problemOfJson(`[${'0,'.repeat(MAX_JSON_VALUES - 2)}0]`)).toBeUndefined();
    expect(problemOfJson(`[${'0,'.repeat(MAX_JSON_VALUES)}0]`)).toContain('values');
  });

  test('where more names differ than anything has, however they are written', () => {
    const named = (count: number): string => Array.from({ length: count }, (_, i) => `{"k${i}" :1}`).join();
    expect(problemOfJson(`[${named(MAX_JSON_NAMES - 100)}]`)).toBeUndefined();
    expect(problemOfJson(`[${named(MAX_JSON_NAMES + 100)}]`)).toContain('different names');
  });

  test('and 20,000 endpoints of Services are no more than may be', () => {
    const endpoint = { address: '10.244.0.1', ready: true, serving: true, terminating: false };
    expect(problemOfJson(JSON.stringify(Array.from({ length: 20_000 }, () => endpoint)))).toBeUndefined();
  });

  test('and what passes is read in less than 100 ms, whatever it says', () => {
    const most = (one: (i: number) => string, count: number): string =>
      `[${Array.from({ length: count }, (_, i) => one(i)).join()}]`;
    const texts = [
      most((i) => `{"a${i}":1}`, MAX_JSON_NAMES - 100),
      most((i) => `{"${'k'.repeat(300)}${i}":1}`, MAX_JSON_NAMES - 100),
      `{${Array.from({ length: MAX_JSON_NAMES - 100 }, (_, i) => `"k${i}":"${'x'.repeat(300)}"`).join()}}`,
      most(() => `${'['.repeat(98)}${']'.repeat(98)}`, 1_900),
      most(() => '1.2345678901234567890123456789012345e-3', MAX_JSON_VALUES - 2),
      JSON.stringify({ a: '\u0041'.repeat(1_300_000) }),
    ];
    for (const text of texts) {
      expect(problemOfJson(text)).toBeUndefined();
      // 50 ms on a machine that does nothing else; each takes 30 at most.
      const taken = Math.min(...[1, 2, 3].map(() => cpuMsOf(() => parseJson(text))));
      expect(taken, text.slice(0, 40)).toBeLessThan(100);
    }
  });

  test('and nothing in texts counts', () => {
    const text = JSON.stringify({ a: '[{,:"\\'.repeat(100_000), '"': '\\' });
    expect(problemOfJson(text)).toBeUndefined();
  });

  test('and all that is small passes, whatever it says', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 5 }), (text) => problemOfJson(text) === undefined));
  });

  test.each([
    ['nesting', '['.repeat(8 * MIB)],
    ['small values', `[${'0,'.repeat(4 * MIB)}0]`],
    ['empty texts', `[${'"",'.repeat(2 * MIB)}""]`],
    ['names', `{${'"a":1,'.repeat(MIB)}"b":1}`],
    ['colons', `{"a"${':'.repeat(8 * MIB)}`],
    ['space', ' '.repeat(8 * MIB)],
    ['escapes', `"${'\\"'.repeat(4 * MIB)}"`],
    ['backslashes', `"${'\\\\'.repeat(4 * MIB)}"`],
    ['one text', JSON.stringify('x'.repeat(8 * MIB))],
  ])('in less time than reading it would take, with 8 MiB of %s', (_what, text) => {
    // Reading the first ones takes a second.
    expect(cpuMsOf(() => problemOfJson(text))).toBeLessThan(200);
  });
});
