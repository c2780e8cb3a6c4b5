import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/runtime/clock.ts';
import { withDeadline } from '../../src/runtime/deadline.ts';

const never = (): Promise<never> => new Promise(() => {});

describe('withDeadline', () => {
  it('ends in time, also when the work takes no heed', async () => {
    await expect(withDeadline(systemClock, { ms: 20 }, never)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('ends with the signal that it was given', async () => {
    const stop = new AbortController();
    const ended = withDeadline(systemClock, { ms: 60_000, signal: stop.signal }, never);
    stop.abort(new Error('stopped'));
    await expect(ended).rejects.toThrow('stopped');
    await expect(withDeadline(systemClock, { ms: 60_000, signal: stop.signal }, never)).rejects.toThrow('stopped');
  });

  it('tells the work, and gives what it gives', async () => {
    let told: AbortSignal | undefined;
    const late = withDeadline(systemClock, { ms: 20 }, (signal) => {
      told = signal;
      return never();
    });
    await expect(late).rejects.toThrow('no answer in time');
    expect(told?.aborted).toBe(true);
    expect(await withDeadline(systemClock, { ms: 60_000 }, () => Promise.resolve(7))).toBe(7);
  });
});
