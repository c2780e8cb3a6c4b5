import { expect, test } from 'vitest';
import { rebalanceAfterMs } from '../../../src/core/rebalance/rebalance-rule.ts';

const having = (after?: string) => (after === undefined ? undefined : { after });

test.each([
  ['nowhere', undefined, undefined, undefined],
  ['in the Federation', undefined, '5m', 300_000],
  ['in the namespace, which counts', '30s', '5m', 30_000],
  ['as Never in the namespace', 'Never', '5m', undefined],
  ['as Never in the Federation', undefined, 'Never', undefined],
])('replicas are evened out when that is said %s', (_where, namespace, federation, expected) => {
  expect(rebalanceAfterMs(having(namespace), having(federation))).toBe(expected);
});
