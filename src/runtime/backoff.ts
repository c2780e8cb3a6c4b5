/** Delays between tries: doubling from `baseMs` to `maxMs`, each made random by up to ±`jitter` (a share of it). */
export interface BackoffPolicy {
  baseMs: number;
  maxMs: number;
  jitter: number;
}

/** client-go's workqueue starts at 5 ms; SQLite below the API server wants fewer tries, so we start higher. */
export const RECONCILE_BACKOFF: BackoffPolicy = { baseMs: 200, maxMs: 60_000, jitter: 0.2 };

/** Connections and watches: soon again after a hiccup, never a storm. */
export const CONNECT_BACKOFF: BackoffPolicy = { baseMs: 250, maxMs: 5_000, jitter: 0.3 };

/**
 * The delay before try number `failures` + 1.
 * @param failures how many tries failed in a row, at least 1
 * @param random a number in [0, 1)
 */
export function backoffDelayMs(policy: BackoffPolicy, failures: number, random: number): number {
  const plain = Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(plain * (1 + policy.jitter * (2 * random - 1)));
}
