/** A token bucket: `burst` at once, then `perSecond` on average. */
export interface RateLimit {
  perSecond: number;
  burst: number;
}

export interface Bucket {
  tokens: number;
  /** Monotonic ms. */
  at: number;
}

/** The bucket after one more call, or undefined when the call is over the limit. */
export function takeToken(limit: RateLimit, bucket: Bucket | undefined, now: number): Bucket | undefined {
  return takeTokens(limit, bucket, { now, count: 1 });
}

/**
 * The same for what counts as several. @param now monotonic ms
 * @param atLeast so many tokens are enough, and the rest is a debt; without it all have to be there
 */
export function takeTokens(
  limit: RateLimit,
  bucket: Bucket | undefined,
  { now, count, atLeast = count }: { now: number; count: number; atLeast?: number },
): Bucket | undefined {
  const filled =
    bucket === undefined
      ? limit.burst
      : Math.min(limit.burst, bucket.tokens + ((now - bucket.at) / 1000) * limit.perSecond);
  return filled < Math.min(count, atLeast) ? undefined : { tokens: filled - count, at: now };
}
