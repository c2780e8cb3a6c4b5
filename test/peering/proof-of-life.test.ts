import { expect, it } from 'vitest';
import { ProofOfLife } from '../../src/peering/proof-of-life.ts';
import { SimulatedTime } from '../sim/simulated-time.ts';

/** Looks for a proof at each tick of 200 ms for `ms`. */
async function seek(ms: number, prove: (attempt: number, signal: AbortSignal) => Promise<void>) {
  const time = new SimulatedTime();
  const happened: string[] = [];
  let attempts = 0;
  const proof = new ProofOfLife({
    prove: (signal) => {
      attempts += 1;
      return prove(attempts, signal);
    },
    onProof: () => happened.push(`proof at ${time.nowMs}`),
    clock: time.clock,
  });
  for (let at = 0; at < ms; at += 200) {
    proof.seek(time.nowMs);
    await time.pass(200);
  }
  return { attempts, happened, proof };
}

it('tries again beside an attempt that hangs', async () => {
  const { happened } = await seek(1_000, (attempt) => (attempt === 1 ? new Promise(() => {}) : Promise.resolve()));
  expect(happened[0]).toBe('proof at 400');
});

it('gives up attempts that take too long or that nobody needs any more', async () => {
  const aborted: number[] = [];
  const { happened, proof } = await seek(2_000, (attempt, signal) => {
    signal.addEventListener('abort', () => aborted.push(attempt));
    return new Promise(() => {});
  });
  expect([happened, aborted]).toEqual([[], [1, 2]]);
  proof.end();
  expect(aborted).toEqual([1, 2, 3, 4, 5]);
});

it('is no proof when the peer cannot be reached or shows another key', async () => {
  const { attempts, happened } = await seek(1_200, () => Promise.reject(new Error('another key')));
  expect([attempts, happened]).toEqual([3, []]);
});
