import { expect, test } from 'vitest';
import { stopAfterSeconds } from '../../../src/core/consumer-lost/consumer-lost-rule.ts';

const having = (stopAfter?: string) => (stopAfter === undefined ? undefined : { stopAfter });

test.each([
  ['nowhere', undefined, undefined, undefined],
  ['in the Federation', undefined, '10m', 600],
  ['in the namespace, which counts', '30s', '10m', 30],
  ['as Never in the namespace', 'Never', '10m', undefined],
  ['as Never in the Federation', undefined, 'Never', undefined],
])('pods of a lost consumer stop when that is said %s', (_where, namespace, federation, expected) => {
  expect(stopAfterSeconds(having(namespace), having(federation))).toBe(expected);
});
