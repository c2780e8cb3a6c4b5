import type { Clock } from './clock.ts';

/**
 * A call whose answer serves everybody who asks within `ttlMs`, and is made once however many ask at the same time.
 * Failures are not kept.
 */
export function createCachedCall<T>(load: (key: string) => Promise<T>, options: { ttlMs: number; clock: Clock }) {
  const { ttlMs, clock } = options;
  const running = new Map<string, { until: number; answer: Promise<T> }>();
  return (key: string): Promise<T> => {
    const now = clock.monotonic();
    const known = running.get(key);
    if (known !== undefined && now < known.until) return known.answer;
    // Answers of keys that nobody asks for any more are let go.
    for (const [old, { until }] of running) if (until <= now) running.delete(old);
    const answer = load(key);
    // In flight it is shared however long it takes; then it is kept for `ttlMs`.
    const entry = { until: Number.POSITIVE_INFINITY, answer };
    running.set(key, entry);
    answer.then(
      () => {
        entry.until = clock.monotonic() + ttlMs;
      },
      () => {
        if (running.get(key) === entry) running.delete(key);
      },
    );
    return answer;
  };
}
