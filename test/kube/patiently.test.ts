import { describe, expect, test } from 'vitest';
import { CodedError } from '../../src/core/coded-error.ts';
import { ApiError } from '../../src/kube/api-error.ts';
import { patiently } from '../../src/kube/patiently.ts';
import { jumpingClock } from '../jumping-clock.ts';

const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED 10.96.0.1:443'), { code: 'ECONNREFUSED' });

/** Fails with these, one after the other, and then works. */
function failing(...errors: Error[]): () => Promise<string> {
  const left = [...errors];
  return async () => {
    const error = left.shift();
    if (error !== undefined) throw error;
    return 'done';
  };
}

describe('work that needs the API server', () => {
  test('is done again while that is out of reach, and says so once', async () => {
    const said: unknown[] = [];
    const limit = { clock: jumpingClock(), untilMs: 10_000 };
    const starting = new ApiError(503, {});
    expect(await patiently(failing(refused(), starting, refused()), limit, (error) => said.push(error))).toBe('done');
    expect(said).toHaveLength(1);
  });

  test('fails with the last error when its time is over', async () => {
    const limit = { clock: jumpingClock(), untilMs: 10_000 };
    await expect(patiently(failing(...Array.from({ length: 100 }, refused)), limit)).rejects.toThrow('ECONNREFUSED');
    expect(limit.clock.monotonic()).toBe(10_000);
  });

  test('fails at once where another try would not do', async () => {
    const limit = { clock: jumpingClock(), untilMs: 10_000 };
    await expect(patiently(failing(new ApiError(403, { message: 'no' })), limit)).rejects.toThrow('no');
    await expect(patiently(failing(new CodedError('FailedPrecondition', 'not so')), limit)).rejects.toThrow('not so');
    expect(limit.clock.monotonic()).toBe(0);
  });

  test('ends when it is told to', async () => {
    const limit = { clock: jumpingClock(), untilMs: 10_000, signal: AbortSignal.abort(new Error('told to end')) };
    await expect(patiently(failing(refused()), limit)).rejects.toThrow('told to end');
  });
});
