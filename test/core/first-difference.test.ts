import { expect, test } from 'vitest';
import { firstDifference } from '../../src/core/first-difference.ts';

test.each([
  [{ a: 1 }, { a: 1, b: 2 }, undefined],
  [{ a: { b: [1, 2] } }, { a: { b: [1, 3] } }, 'spec.a.b[1]'],
  [{ a: [1] }, { a: [1, 2] }, 'spec.a'],
  [{ a: {} }, {}, 'spec.a'],
  [{ a: null }, { a: null }, undefined],
  [[], {}, 'spec'],
])('%j against %j: %s', (wanted, actual, at) => {
  expect(firstDifference(wanted, actual, 'spec')).toBe(at);
});
