import { expect, test } from 'vitest';
import { verdictOfError } from '../../../src/agent/shadow-pod/verdict-of-error.ts';
import { ApiError } from '../../../src/kube/api-error.ts';

test('a refusal has the words of the API server, up to a length', () => {
  const saying = (message: string) => verdictOfError(new ApiError(422, { message }));
  expect(saying('spec.x: not so')).toMatchObject({
    kind: 'policy',
    message: expect.stringContaining('spec.x: not so'),
  });
  const long = saying('x'.repeat(1_000_000));
  expect(long.accepted || long.message.length).toBeLessThanOrEqual(2_001);
});
