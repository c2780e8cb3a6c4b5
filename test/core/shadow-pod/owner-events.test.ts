import { expect, test } from 'vitest';
import { concernsOwner } from '../../../src/core/shadow-pod/owner-events.ts';

test('the owner of a pod is told what concerns it, and not what is normal on its provider alone', () => {
  const about = (container: string) => ({ involvedObject: { fieldPath: `spec.initContainers{${container}}` } });
  expect(concernsOwner({ type: 'Normal', reason: 'Pulled', ...about('init') })).toBe(true);
  expect(concernsOwner({ type: 'Normal', reason: 'Killing' })).toBe(true);
  expect(concernsOwner({ type: 'Normal', reason: 'Scheduled' })).toBe(false);
  expect(concernsOwner({ type: 'Normal', reason: 'Pulled', ...about('headcut-gate') })).toBe(false);
  expect(concernsOwner({ type: 'Warning', reason: 'Failed', ...about('headcut-gate') })).toBe(true);
  expect(concernsOwner({ type: 'Warning', reason: 'FailedScheduling' })).toBe(true);
});
