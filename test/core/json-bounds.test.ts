import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_JSON_DEPTH, MAX_JSON_VALUES, problemOfJson } from '../../src/core/json-bounds.ts';
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
    ['space', ' '.repeat(8 * MIB)],
    ['escapes', `"${'\\"'.repeat(4 * MIB)}"`],
    ['backslashes', `"${'\\\\'.repeat(4 * MIB)}"`],
    ['one text', JSON.stringify('x'.repeat(8 * MIB))],
  ])('in less time than reading it would take, with 8 MiB of %s', (_what, text) => {
    // Reading the first ones takes a second.
    expect(cpuMsOf(() => problemOfJson(text))).toBeLessThan(200);
  });
});
