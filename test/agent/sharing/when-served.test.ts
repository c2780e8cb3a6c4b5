import { expect, test } from 'vitest';
import { ToldExports } from '../../../src/agent/sharing/told-exports.ts';
import { whenKindsServed } from '../../../src/agent/sharing/when-served.ts';
import { ApiError } from '../../../src/kube/api-error.ts';
import { silentLogger as logger } from '../../../src/runtime/logger.ts';
import { told } from '../../core/sharing/sharing-fixture.ts';
import { jumpingClock } from '../../jumping-clock.ts';

const SERVED = { resources: [{ name: 'serviceexports' }, { name: 'serviceimports' }] };

test('an API server that does not answer is asked again at once, and one without the kinds after a while', async () => {
  const answers: unknown[] = [
    new ApiError(503, {}),
    new Error('reset'),
    new ApiError(404, {}),
    { resources: [] },
    SERVED,
  ];
  const asked: number[] = [];
  let missing = 0;
  const clock = jumpingClock();
  const client = {
    request: async () => {
      asked.push(clock.monotonic());
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer as never;
    },
  };
  const onMissing = (): void => {
    missing += 1;
  };
  await whenKindsServed({ client, clock, logger, onMissing }, new AbortController().signal);
  expect(asked).toEqual([0, 250, 500, 15_500, 30_500]);
  expect(missing).toBe(1);
});

test('peers are told that nothing is exported where the kinds are not served, and what is as soon as they are', () => {
  const own = { synced: false, told: () => [told()], onChange: () => {} };
  const exports = new ToldExports(own);
  let changes = 0;
  exports.onChange(() => {
    changes += 1;
  });
  expect(exports.synced).toBe(false);
  exports.becomeNone();
  expect([exports.synced, exports.told(), changes]).toEqual([true, [], 1]);
  exports.becomeOwn();
  expect([exports.synced, changes]).toEqual([false, 2]);
  own.synced = true;
  expect([exports.synced, exports.told()]).toEqual([true, [told()]]);
});
